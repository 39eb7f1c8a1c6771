"""The span of a request, which the spans of the job that it submits go below.

It has the route's template and the status: a path would tell ids, and a query what a caller chose.
"""

from apiflask import APIFlask
from flask import Response, g, request

from api.current import SPAN, ground, span

# Pages, probes and figures are no part of any job.
_TRACED = "/v1/"


def trace_requests(app: APIFlask) -> None:
    """Begin a span with every request of `/v1`, under the caller's `traceparent` if it has one."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    rule = request.url_rule.rule if request.url_rule is not None else ""
    if not rule.startswith(_TRACED):
        return
    caller = request.headers.get("traceparent")
    said = {"http.request.method": request.method, "http.route": rule}
    g.setdefault(SPAN, ground().traces.begin_trace(f"{request.method} {rule}", caller, said))


def _end(response: Response) -> Response:
    status = response.status_code
    span().say({"http.response.status_code": status})
    span().end(error=str(status) if status >= 500 else None)
    return response
