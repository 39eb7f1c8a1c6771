"""Headers that keep a browser from doing more with an answer than it should."""

from apiflask import APIFlask
from flask import Response, request

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def harden(app: APIFlask) -> None:
    """Put the headers on every answer; a route may set a policy of its own."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/v1/"):
        # A tenant's data: no shared cache, and a browser's own must ask first.
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
