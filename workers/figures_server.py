"""Serves this machine's figures to Prometheus, on a port of the launcher or of an io process.

By itself it serves nothing: a setting says where (`9108` is this machine alone, `0.0.0.0:9108` is
everybody who reaches it). Figures name no tenant and no item, but they do tell how much is done.
"""

from contextlib import suppress
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from jobs.metrics import metrics
from jobs.metrics.declaring import REGISTRY

log = structlog.get_logger(__name__)


class FiguresServer:
    """A small HTTP server with one page; does nothing where `bind` is empty."""

    def __init__(self, bind: str, folder: Path | None = None) -> None:
        """Serve at once: this process's figures, or those of all that record into `folder`.

        A port that is taken is logged, and ends nothing: work goes on without figures.
        """
        self._server: WSGIServer | None = None
        if not bind:
            return
        host, _, port = bind.rpartition(":")
        registry = _shared(folder) if folder is not None else REGISTRY
        try:
            self._server, self._thread = start_http_server(
                int(port), host.strip("[]") or "127.0.0.1", registry
            )
        except OSError as err:
            log.error("figures_not_served", bind=bind, error=str(err))

    @property
    def port(self) -> int | None:
        """Where it listens; None where it does not."""
        return None if self._server is None else int(self._server.server_port)

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _shared(folder: Path) -> CollectorRegistry:
    """Give the figures of the processes of a folder, and what their launcher alone sees."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(metrics.WORKER_DEATHS)
    return registry
