"""A server on loopback that plays a registry of images, tokens and all."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_INDEX = "application/vnd.oci.image.index.v1+json"


class Registry:
    """Knows the manifest behind each `path:tag`, and gives it only to who has a token for it."""

    def __init__(self, *images: str) -> None:
        self.manifests = {image: json.dumps({"of": image}).encode() for image in images}
        # Set by a test to have a digest announced that is not the manifest's.
        self.announced: str | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def digest(self, image: str) -> str:
        return "sha256:" + hashlib.sha256(self.manifests[image]).hexdigest()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def registry_of(*images: str) -> Iterator[Registry]:
    """Run a registry until the block ends."""
    registry = Registry(*images)
    try:
        yield registry
    finally:
        registry.close()


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/token":
                (scope,) = parse_qs(place.query)["scope"]
                self._answer(200, json.dumps({"token": scope}).encode())
                return
            path, tag = place.path.removeprefix("/v2/").split("/manifests/")
            scope = f"repository:{path}:pull"
            if self.headers["authorization"] != f"Bearer {scope}":
                challenge = f'Bearer realm="{registry.url}/token",service="here",scope="{scope}"'
                self._answer(401, b"", **{"www-authenticate": challenge})
            elif f"{path}:{tag}" not in registry.manifests or _INDEX not in self.headers["accept"]:
                self._answer(404, b"")
            else:
                digest = registry.announced or registry.digest(f"{path}:{tag}")
                said = {"docker-content-digest": digest, "content-type": _INDEX}
                self._answer(200, registry.manifests[f"{path}:{tag}"], **said)

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
