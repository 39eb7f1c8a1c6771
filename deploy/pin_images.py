"""Pin the images of others to what their tags stand for now: `make pin-images REGISTRY=https://…`.

Asks each registry by the OCI distribution protocol
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md) for the manifest behind a
tag, and writes its digest behind the tag: `postgres:18` becomes `postgres:18@sha256:…`. A digest
that is there already is replaced. The files are written when all answers are there, or not at all.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

import httpx

FILES = (Path("docker-compose.yml"), Path("Dockerfile"))
_TIMEOUT_S = 30
# A name with a tag, as `image:` and `FROM` say it; what is built here has no tag.
_IMAGE = re.compile(
    r"^(?P<before>\s*image:\s+|FROM\s+)(?P<name>[a-z0-9][\w./:-]*):(?P<tag>\w[\w.-]*)"
    r"(?:@sha256:[0-9a-f]{64})?(?=\s|$)",
    re.MULTILINE,
)
# An index of all platforms first: its digest is good for each of them.
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class PinError(Exception):
    """An image cannot be pinned; the message says which, and why."""


def pin(text: str, digest_of: dict[str, str]) -> str:
    """Write its digest behind each `name:tag` of a file's text."""

    def pinned(found: re.Match[str]) -> str:
        image = f"{found['name']}:{found['tag']}"
        return f"{found['before']}{image}@{digest_of[image]}"

    return _IMAGE.sub(pinned, text)


def images_of(text: str) -> set[str]:
    """Give each `name:tag` that a file names."""
    return {f"{found['name']}:{found['tag']}" for found in _IMAGE.finditer(text)}


def resolve(client: httpx.Client, image: str, registry: str) -> str:
    """Ask a registry for the digest of `name:tag`; `registry` is the URL of the default one."""
    name, _, tag = image.rpartition(":")
    host, _, path = name.partition("/")
    if "." in host or ":" in host:
        registry = f"https://{host}"
    else:
        path = name if "/" in name else f"library/{name}"
    url = f"{registry}/v2/{path}/manifests/{tag}"
    try:
        answer = client.get(url, headers={"Accept": _ACCEPT})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = _token(client, answer.headers.get("www-authenticate", ""))
            headers = {"Accept": _ACCEPT, "Authorization": f"Bearer {token}"}
            answer = client.get(url, headers=headers)
        answer.raise_for_status()
    except (httpx.HTTPError, ValueError, KeyError) as err:
        raise PinError(f"{image}: the registry does not say what it is: {err}") from err
    digest = "sha256:" + hashlib.sha256(answer.content).hexdigest()
    if (said := answer.headers.get("docker-content-digest", digest)) != digest:
        raise PinError(f"{image}: the registry says {said} and sends {digest}; try again.")
    return digest


def _token(client: httpx.Client, challenge: str) -> str:
    """Get the token that anyone may have to read (RFC 6750's `Bearer realm=…`)."""
    said = dict(_CHALLENGE.findall(challenge))
    realm = said.pop("realm")
    answer = client.get(f"{realm}?{urlencode(said)}").raise_for_status().json()
    return str(answer.get("token") or answer["access_token"])


def main() -> None:
    """Pin every image of the files in this folder."""
    parser = argparse.ArgumentParser(prog="pin_images", description=__doc__.split("\n")[0])
    parser.add_argument("--registry", required=True, metavar="URL", help="of names without a host")
    given = parser.parse_args()
    if not given.registry.startswith(("http://", "https://")):
        raise SystemExit("Say where images without a host come from: REGISTRY=https://…")
    texts = {path: path.read_text() for path in FILES}
    images = sorted(set().union(*map(images_of, texts.values())))
    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as client:
            digests = {image: resolve(client, image, given.registry) for image in images}
    except PinError as err:
        raise SystemExit(f"{err} Nothing was changed.") from err
    for path, text in texts.items():
        path.write_text(pin(text, digests))
    for image, digest in digests.items():
        sys.stdout.write(f"{image}@{digest}\n")


if __name__ == "__main__":
    main()
