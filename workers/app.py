"""The Celery application of a worker process, and the life of what runs in it.

Celery carries hints and keeps the process; the work is the engine's (pools cpu and gpu) or the
errands' (pool io). A poller beside it looks into the database every few seconds, so that work goes
on while Redis is away.
"""

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from celery import Celery, signals
from sqlalchemy.exc import SQLAlchemyError

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground, open_ground
from jobs.base.hints import IO, RUN_IO, RUN_SHARDS, SWEEP, new_celery
from jobs.base.logs import configure_logs
from jobs.base.settings import Settings, load_settings
from jobs.base.traces.opening import open_traces
from jobs.presence.version import installed_version
from workers.egress import Egress, EgressPolicy
from workers.errands.sweeper import sweep
from workers.figures_server import FiguresServer
from workers.presence import Presence
from workers.process import Process, this_process

log = structlog.get_logger(__name__)

# When blobs that belong to nobody are looked for: soon, and then once a day.
_FIRST_STRAYS_S, _STRAYS_S = 600.0, 86_400.0


class Work(Protocol):
    """What a process does: the engine, or the errands."""

    def take_back(self) -> None: ...
    def has_work(self) -> bool: ...
    def drain(self) -> int: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...
    def tell_figures(self) -> None: ...


class Crew:
    """Everything that lives as long as the worker process."""

    def __init__(self, settings: Settings) -> None:
        self.process = this_process(settings)
        role = "io" if self.process.pool == IO else "worker"
        traces = open_traces(f"pixelmill-{role}", installed_version())
        self.ground = open_ground(settings, traces)
        self.egress = Egress(policy_of(settings, self.process.pool))
        self._presence = Presence(
            self.ground.database, self.process, settings.poll_s, lambda: self.work.tell_figures()
        )
        self.work = _open_work(self.ground, self.process, self.egress, self._presence.may_claim)
        is_io = self.process.pool == IO
        # Of inference processes their launcher serves the figures.
        self._figures = FiguresServer(settings.io_metrics if is_io else "")
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._poll, name="poller", daemon=True)]
        if self.process.pool == IO:
            self._threads.append(threading.Thread(target=self._sweep, name="sweeper", daemon=True))

    def start(self) -> None:
        """Begin to look for work."""
        # Before the first claim, which would be taken back as well.
        self.once(self.work.take_back)
        self._presence.start()
        for thread in self._threads:
            thread.start()
        log.info("worker_started", node=self.process.node, pool=self.process.pool)

    def stop(self) -> None:
        """Begin nothing new."""
        self.work.stop()
        self._presence.stop()
        self._closed.set()

    def close(self) -> None:
        """Wait for what runs, then end every thread and close every connection."""
        for thread in self._threads:
            thread.join()
        self.work.close()
        self._presence.close()
        self._figures.close()
        self.egress.close()
        self.ground.close()
        log.info("worker_stopped", node=self.process.node)

    def _poll(self) -> None:
        settings = self.ground.settings
        while not self._closed.wait(settings.poll_s):
            self.once(self._look)

    def _look(self) -> None:
        if self.work.has_work():
            self.work.drain()

    def _sweep(self) -> None:
        # Beside the beat's hints, which may be lost, late, or behind a queue of errands.
        strays_due = time.monotonic() + _FIRST_STRAYS_S
        while not self._closed.wait(2 * self.ground.settings.sweep_s):
            self.once(lambda: sweep(self.ground))
            if time.monotonic() > strays_due:
                strays_due = time.monotonic() + _STRAYS_S
                self.once(lambda: delete_strays(self.ground))

    def once(self, act: Callable[[], object]) -> None:
        """Do something whose failure is no reason to end: it is done again in a while."""
        try:
            act()
        except SQLAlchemyError as err:
            log.warning("database_away", error=str(err).splitlines()[0])
        except Exception:
            # The poller must outlive any fault: without it, a lost hint would be lost for good.
            log.exception("poll_failed")


def policy_of(settings: Settings, pool: str) -> EgressPolicy:
    """Give the rules for what a process calls: receivers of webhooks, or servers of images."""
    return EgressPolicy(
        allow_networks=settings.egress_allow,
        total_timeout_s=settings.webhook_timeout_s if pool == IO else settings.egress_timeout_s,
        max_bytes=settings.max_item_bytes,
    )


def create_app() -> Celery:
    """Make the application; the work is opened when a worker starts, not in the beat."""
    settings = load_settings()
    app = new_celery(settings.redis_url)
    app.conf.worker_pool = "workers.pool:WakingPool"
    app.amqp_cls = "workers.transport:HintAmqp"
    app.conf.beat_schedule = {"sweep": {"task": SWEEP, "schedule": settings.sweep_s}}
    crew: list[Crew] = []

    @app.task(name=RUN_SHARDS)
    def run_shards(_pool: str) -> None:
        crew[0].once(crew[0].work.drain)

    @app.task(name=RUN_IO)
    def run_io(_pool: str) -> None:
        crew[0].once(crew[0].work.drain)

    @app.task(name=SWEEP, expires=settings.sweep_s)
    def run_sweep() -> None:
        crew[0].once(lambda: sweep(crew[0].ground))

    @signals.setup_logging.connect(weak=False)
    def set_up_logging(**_: object) -> None:
        configure_logs()
        # A hint that came and found nothing to do is no news.
        logging.getLogger("celery").setLevel(logging.WARNING)

    @signals.worker_init.connect(weak=False)
    def begin(**_: object) -> None:
        configure_logs()
        crew.append(Crew(settings))
        crew[0].start()
        # What lives as long as the process need not be looked through with every collection.
        gc.freeze()

    @signals.worker_shutting_down.connect(weak=False)
    def stop(**_: object) -> None:
        for each in crew:
            each.stop()

    @signals.worker_shutdown.connect(weak=False)
    def end(sender: Any, **_: object) -> None:
        for each in crew:
            each.close()
        # The last thing that Celery does. Taken apart by the interpreter, what torch has brought
        # along says what it has leaked, in some dozen lines.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(sender.exitcode or 0)

    return app


def _open_work(
    ground: Ground, process: Process, egress: Egress, may_claim: Callable[[], bool]
) -> Work:
    if process.pool == IO:
        from workers.errands.errands import Errands

        return Errands(ground, egress)
    # torch is imported only where networks run, and only now: the launcher has set up its threads.
    os.environ.setdefault("OMP_NUM_THREADS", str(process.cores))
    from models.runtime.torch_runtime import extend
    from workers.engine.engine import Engine

    for fault in extend(ground.settings.extensions):
        # What it brings cannot be run; all else can.
        log.error("extension_not_loaded", error=str(fault))
    return Engine(ground, process, egress, may_claim)
