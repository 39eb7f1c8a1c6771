"""Counts requests by the template of their route: a path would tell ids, and be a series each."""

import time

from apiflask import APIFlask
from flask import Response, g, request

from jobs.metrics import metrics

# Paths that lead nowhere, whatever they are.
_NOWHERE = "(none)"
# Methods that nobody serves are one series.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_requests(app: APIFlask) -> None:
    """Count every request as it is answered; call it after `log_requests`."""
    app.after_request(_count)


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule is not None else _NOWHERE
    method = request.method if request.method in _METHODS else "other"
    metrics.HTTP_REQUESTS.labels(method, route, str(response.status_code)).inc()
    # How long a caller wanted to wait tells nothing of this server (api.web.waiting).
    if not g.get("was_held", False):
        metrics.HTTP_SECONDS.labels(route).observe(time.perf_counter() - g.began_at)
    return response
