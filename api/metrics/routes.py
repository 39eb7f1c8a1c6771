"""Figures for Prometheus: of every process of this API, and of the queue that all of them share.

They tell about all tenants together, so they are an operator's: read with an operator's key, or
with the token of PIXELMILL_METRICS_TOKEN, which opens nothing else.
"""

from apiflask import APIBlueprint
from flask import Response, current_app, g

from api.current import require_admin
from api.web.openapi import describe
from jobs.metrics.queue_figures import QueueFigures
from jobs.metrics.rendering import CONTENT_TYPE, render

QUEUE_FIGURES = "pixelmill.queue_figures"

figures = APIBlueprint("metrics", __name__, tag="Operation")


@figures.get("/metrics")
@describe(figures, {200: {"text/plain": "metrics"}}, problems=(403,))
def read_metrics() -> Response:
    """Give the figures of the API and of the queue as Prometheus' text.

    Workers serve theirs on ports of their own. The queue is asked for every few seconds at most.
    """
    if not g.get("is_scraper", False):
        require_admin("Reading the figures of all tenants")
    queue: QueueFigures = current_app.extensions[QUEUE_FIGURES]
    return Response(render(queue), content_type=CONTENT_TYPE)
