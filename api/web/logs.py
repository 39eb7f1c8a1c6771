"""One structured event a request, and an id that finds it: never a key, a query or a body."""

import logging
import re
import secrets
import time

import structlog
from apiflask import APIFlask
from flask import Response, g, request

HEADER = "X-Request-Id"

# What a proxy may have named the request; anything else could forge lines in a log.
_GOOD_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

# A key that somebody put into a URL, where no key belongs; and links that open what they name.
_KEY = re.compile(r"pm_live_[A-Za-z0-9_%-]*", re.IGNORECASE)
_LINK = re.compile(r"/shared/[^/]+")

log = structlog.get_logger(__name__)


def configure_logging() -> None:
    """Write events as JSON lines to stdout, unless this process has decided otherwise already."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # One write for line and line end: several threads and processes write to one stream.
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )


def log_requests(app: APIFlask) -> None:
    """Name each request and log how it was answered; call it before anything else is set up."""
    app.before_request(_begin)
    app.after_request(_end)


def new_request_id() -> str:
    """Make an id for a request that has none."""
    return f"req_{secrets.token_hex(12)}"


def without_keys(path: str) -> str:
    """Give a path as it may be logged and shown."""
    return _LINK.sub("/shared/…", _KEY.sub("pm_live_…", path))


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _GOOD_ID.fullmatch(given) else new_request_id()
    g.began_at = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    log.info(
        "request",
        method=request.method,
        path=without_keys(request.path),
        status=response.status_code,
        tenant=g.get("tenant_id"),
        duration_ms=round((time.perf_counter() - g.began_at) * 1000, 1),
    )
    return response
