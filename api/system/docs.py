"""One page that lists every call, made of /openapi.json; it loads nothing from anywhere else."""

import secrets
from functools import cache
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response

docs = APIBlueprint("docs", __name__, enable_openapi=False)


@docs.get("/docs")
def page() -> Response:
    """Show the calls of this server."""
    # Only this page's own script runs, and it may talk to this server alone.
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response = Response(
        _template().replace("{{nonce}}", nonce), content_type="text/html; charset=utf-8"
    )
    response.headers["Content-Security-Policy"] = policy
    return response


@cache
def _template() -> str:
    return (Path(__file__).parent / "docs.html").read_text("utf-8")
