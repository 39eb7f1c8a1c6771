"""What Prometheus is answered: this process's figures, or those of all that share a folder."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from jobs.metrics.declaring import REGISTRY
from jobs.metrics.places import figures_folder

# Of the text format, as prometheus_client writes it.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(*besides: Collector, folder: str | None = None) -> bytes:
    """Write all figures as text, with those of `besides`.

    `folder` is that of other processes, whose figures are then told in place of this one's own.
    """
    registry = CollectorRegistry()
    shared = folder or figures_folder()
    if shared is not None:
        MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    for collector in besides:
        registry.register(collector)
    return generate_latest(registry)
