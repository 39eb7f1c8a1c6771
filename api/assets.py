"""What a browser loads beside pages: style, scripts, marks. Read once, named by content."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from flask import Response, request

from jobs.base.errors import NotFound

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_YEAR_S = 31_536_000


class Asset(NamedTuple):
    """A file as it is sent, and the name of its content."""

    content: bytes
    kind: str
    digest: str


class Assets:
    """The files of one folder, by their paths in it: these and no others can be asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _files(self) -> dict[str, Asset]:
        return {
            path.relative_to(self._folder).as_posix(): _read(path)
            for path in self._folder.rglob("*")
            if path.suffix in _KINDS
        }

    def digest_of(self, name: str) -> str:
        """Give the name of a file's content, for its address: `?v=` and this."""
        return self._files[name].digest

    def answer_with(self, name: str) -> Response:
        """Send a file; raises NotFound."""
        found = self._files.get(name)
        if found is None:
            raise NotFound(f"There is no file {name!r} here.")
        response = Response(found.content, content_type=found.kind)
        is_named = request.args.get("v") == found.digest
        age = f"public, max-age={_YEAR_S}, immutable" if is_named else "no-cache"
        response.headers["Cache-Control"] = age
        response.set_etag(found.digest)
        response.make_conditional(request)
        return response


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _KINDS[path.suffix], hashlib.sha256(content).hexdigest()[:16])
