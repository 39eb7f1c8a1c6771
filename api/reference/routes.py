"""The page at /docs, and the files that it loads; it asks nobody but this server."""

from functools import cache
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response, render_template_string

from api.assets import Assets
from jobs.presence.version import installed_version

docs = APIBlueprint("docs", __name__, enable_openapi=False)

_FOLDER = Path(__file__).parent
_ASSETS = Assets(_FOLDER / "static")

# No script and no style but those of this folder. What calls answer is shown as pictures too, from
# a script's own address (blob:); the interface's small marks stand in its style (data:).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@docs.get("/docs")
def page() -> Response:
    """Show the calls of this server."""
    text = render_template_string(_template(), asset=_address_of, version=installed_version())
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@docs.get("/docs/<path:name>")
def asset(name: str) -> Response:
    """Send a file that the page is made of."""
    return _ASSETS.answer_with(name)


def _address_of(name: str) -> str:
    # Relative, so that it holds behind a proxy's prefix of which nobody has told this server.
    return f"docs/{name}?v={_ASSETS.digest_of(name)}"


@cache
def _template() -> str:
    return (_FOLDER / "page.html").read_text("utf-8")
