"""How errors are told: RFC 9457 problem details, with OpenAI's `error` member beside them.

PixelmillError ── its own code and status (jobs.base.errors)
HTTPException ─── what Flask itself refuses: no such path, wrong method, too large, malformed
outage ────────── database or storage away: 503, and when to come again
anything else ─── 500; the log has the details, the answer only the request id to find them
"""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from apiflask import APIFlask
from flask import Response, g, request
from flask_limiter import RateLimitExceeded
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from api.current import ground, link
from api.web.logs import without_keys
from jobs.base.database import is_outage
from jobs.base.errors import InvalidInput, PixelmillError, TooManyRequests, Unavailable
from jobs.base.storage import StorageError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

# What a caller that met an outage should wait: long enough for a restart to make progress.
_RETRY_S = 5

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
HTTP_CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def handle_errors(app: APIFlask) -> None:
    """Register the handlers that make a problem of every error."""
    app.register_error_handler(PixelmillError, _told)
    app.register_error_handler(RateLimitExceeded, _rate_limited)
    app.register_error_handler(HTTPException, refused_by_flask)
    app.register_error_handler(SQLAlchemyError, _database_failed)
    app.register_error_handler(StorageError, _storage_failed)
    app.register_error_handler(Exception, _unexpected)


def problem(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Make the answer that tells of an error."""
    body = problem_body(status, code, message, param=param, request_id=g.get("request_id"), **more)
    return Response(json.dumps(body), status, headers, content_type=MEDIA_TYPE)


def problem_body(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    request_id: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Give the members of a problem."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {
        "type": f"urn:pixelmill:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": message,
        "code": code,
        "error": {"message": message, "type": kind, "param": param, "code": code},
        "request_id": request_id,
        **more,
    }


def _told(err: PixelmillError) -> Response:
    headers: dict[str, str] = {}
    if err.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="pixelmill"'
    if err.retryable:
        headers["Retry-After"] = str(_RETRY_S)
    elif err.status == HTTPStatus.CONFLICT:
        # OpenAI's clients would ask twice more within a second, in which no state passes.
        headers["X-Should-Retry"] = "false"
    code, more = err.code, {}
    if isinstance(err, InvalidInput):
        code = err.reason
        if err.lines:
            more["errors"] = {"object": "list", "data": err.lines}
    return problem(err.status, code, err.message, param=err.param, headers=headers, **more)


def _rate_limited(err: RateLimitExceeded) -> Response:
    window_s = err.limit.limit.get_expiry() if err.limit is not None else _RETRY_S
    reset_at = g.get("rate_limit_reset_at", time.time() + window_s)
    wait_s = max(1, round(reset_at - time.time()))
    message = f"Too many requests: {err.description} are allowed. Try again in {wait_s} s."
    headers = {"Retry-After": str(wait_s)}
    return problem(429, TooManyRequests.code, message, headers=headers)


def refused_by_flask(err: HTTPException) -> Response:
    """Tell of what Flask itself refuses."""
    status = err.code or 500
    headers = {name: value for name, value in err.get_headers() if name != "Content-Type"}
    code = HTTP_CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
    return problem(status, code, _explained(err, status), headers=headers)


def _explained(err: HTTPException, status: int) -> str:
    path = without_keys(request.path)
    if status == HTTPStatus.NOT_FOUND:
        return f"There is nothing at {path}. {link('/docs')} lists every call."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} does not answer {request.method}. {link('/docs')} lists every call."
    if isinstance(err, RequestEntityTooLarge):
        limit = g.get("body_limit", ground().settings.max_body_bytes)
        return f"The body is over {limit:,} bytes, the limit of this call. Upload files instead."
    return err.description or HTTPStatus(status).phrase


def _database_failed(err: SQLAlchemyError) -> Response:
    if not is_outage(err) and not isinstance(err, PoolTimeout):
        return _unexpected(err)
    log.warning("database_away", error=type(err).__name__)
    return _told(Unavailable("The database does not answer just now. Nothing was stored; retry."))


def _storage_failed(err: StorageError) -> Response:
    log.warning("storage_away", error=str(err))
    return _told(Unavailable("The storage does not answer just now. Nothing was stored; retry."))


def _unexpected(err: Exception) -> Response:
    log.error("request_failed", error=type(err).__name__, exc_info=err)
    message = f"Something went wrong here. Tell the operator the request id {g.get('request_id')}."
    return problem(500, PixelmillError.code, message)
