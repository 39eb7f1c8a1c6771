"""What a browser loads beside the pages: style, scripts, the mark. Read once, named by content."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Response, request, url_for

from jobs.base.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
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


@cache
def assets() -> dict[str, Asset]:
    """Read every file, by its path in the folder: these and no others can be asked for."""
    return {
        path.relative_to(_FOLDER).as_posix(): _read(path)
        for path in _FOLDER.rglob("*")
        if path.suffix in _KINDS
    }


def address_of(name: str) -> str:
    """Give the address of a file, which is another one as soon as the file is."""
    return url_for("page_entrance.asset", name=name, v=assets()[name].digest)


def answer_with(name: str) -> Response:
    """Send a file; raises NotFound."""
    found = assets().get(name)
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
