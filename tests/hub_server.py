"""A server that plays the Hugging Face hub on loopback, as huggingface_hub asks it.

GET  /api/models/OWNER/NAME[/revision/REV]?blobs=True    commit, tags, files with size and digest
HEAD /OWNER/NAME/resolve/COMMIT/FILE                     X-Repo-Commit, ETag; of large files
GET  /OWNER/NAME/resolve/COMMIT/FILE                     X-Linked-Etag, X-Linked-Size, Location
GET  /stored/SHA256                                      large files, from another origin, ranges
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.loopback import serving

TOKEN = "hf_secretOfTheTest"
_LARGE = (".safetensors", ".bin")
_INFO = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repository:
    """Files by name. `closed` is "gated" or "private" for whoever has not the token."""

    files: dict[str, bytes]
    license: str = "apache-2.0"
    closed: str = ""
    # What is told and served of some files, whatever is true.
    sizes: dict[str, int] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        names = json.dumps({name: sha256(data) for name, data in sorted(self.files.items())})
        return hashlib.sha1(names.encode()).hexdigest()

    def told(self, name: str) -> dict[str, Any]:
        data = self.files[name]
        size = self.sizes.get(name, len(data))
        told = {"rfilename": name, "size": size, "blobId": git_oid(data)}
        if name.endswith(_LARGE):
            told["lfs"] = {"sha256": sha256(data), "size": size, "pointerSize": 134}
        return told


class FakeHub:
    """Repositories by name, and what was asked of them."""

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[str, Repository] = {}
        # (method, path, headers in lower case), in the order of arrival.
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        # After how many bytes each next answer of a large file breaks off.
        self.breaks: list[int] = []
        # A status that every call is answered with.
        self.status: int | None = None

    def add(self, name: str, files: dict[str, bytes], **more: Any) -> Repository:
        self.repositories[name] = Repository(files, **more)
        return self.repositories[name]

    def asked(self, method: str, end: str) -> list[dict[str, str]]:
        """Give the headers of the calls to paths that end so."""
        return [
            headers for seen, path, headers in self.seen if seen == method and path.endswith(end)
        ]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Serve until the block ends."""
    hub = FakeHub()

    class Handler(_Handler):
        hub_of = hub

    with serving(Handler) as url:
        hub.url = url
        yield hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    hub_of: FakeHub

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub_of.seen.append((self.command, path, headers))
        if self.hub_of.status is not None:
            self._say(self.hub_of.status)
        elif headers.get("authorization", f"Bearer {TOKEN}") != f"Bearer {TOKEN}":
            self._say(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif found := _INFO.fullmatch(path):
            self._tell(found[1], found[2], headers)
        elif found := _RESOLVE.fullmatch(path):
            self._resolve(*found.groups(), headers)
        elif path.startswith("/stored/"):
            self._send_stored(path.removeprefix("/stored/"), headers)
        else:
            self._say(404)

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def _find(self, name: str, revision: str | None, headers: dict[str, str]) -> Repository | None:
        """Find a repository, or answer why not: one that may not be seen is not there."""
        repository = self.hub_of.repositories.get(name)
        known = "authorization" in headers
        if repository is None or (repository.closed == "private" and not known):
            self._say(404 if known else 401, {"X-Error-Code": "RepoNotFound"})
            return None
        if revision not in (None, "main", "v2", repository.commit):
            self._say(404, {"X-Error-Code": "RevisionNotFound"})
            return None
        return repository

    def _tell(self, name: str, revision: str | None, headers: dict[str, str]) -> None:
        if repository := self._find(name, revision, headers):
            told = {
                "id": name,
                "modelId": name,
                "author": name.partition("/")[0],
                "sha": repository.commit,
                "private": repository.closed == "private",
                "gated": "manual" if repository.closed == "gated" else False,
                "tags": ["timm", f"license:{repository.license}"],
                "siblings": [repository.told(each) for each in repository.files],
            }
            self._say(200, {"Content-Type": "application/json"}, json.dumps(told).encode())

    def _resolve(self, name: str, revision: str, file: str, headers: dict[str, str]) -> None:
        repository = self._find(name, revision, headers)
        if repository is None:
            return
        commit = {"X-Repo-Commit": repository.commit}
        if repository.closed == "gated":
            self._say(403 if "authorization" in headers else 401, {"X-Error-Code": "GatedRepo"})
        elif file not in repository.files:
            self._say(404, {"X-Error-Code": "EntryNotFound", **commit})
        elif file.endswith(_LARGE):
            told = repository.told(file)["lfs"]
            # Another origin, as the hub's own store is: this machine by its other name.
            location = self.hub_of.url.replace("127.0.0.1", "localhost")
            linked = {"X-Linked-Etag": f'"{told["sha256"]}"', "X-Linked-Size": str(told["size"])}
            stored = {"Location": f"{location}/stored/{told['sha256']}?signature=secretSignature"}
            self._say(302, {**commit, **linked, **stored})
        else:
            data = repository.served.get(file, repository.files[file])
            etag = git_oid(repository.files[file])
            self._say(200, {"ETag": f'"{etag}"', **commit}, data)

    def _send_stored(self, digest: str, headers: dict[str, str]) -> None:
        data = next(
            repository.served.get(name, data)
            for repository in self.hub_of.repositories.values()
            for name, data in repository.files.items()
            if sha256(data) == digest
        )
        begin = int(headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        ranges = {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"} if begin else {}
        kept = self.hub_of.breaks.pop(0) if self.hub_of.breaks else None
        self._say(206 if begin else 200, {"Accept-Ranges": "bytes", **ranges}, data[begin:], kept)

    def _say(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        kept: int | None = None,
    ) -> None:
        """Answer; with `kept`, break off after so many bytes of the body."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:kept])
        self.wfile.flush()
        if kept is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass
