"""The queue's figures, from the database by one statement when somebody scrapes.

Only rows of partial indexes are read (jobs that are open or have shards waiting, shards that are
leased, deliveries that are pending): the cost follows from what is going on, not from what ever
was. Answers are kept for a few seconds, so that scraping often costs no more.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Float,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database, db_now
from jobs.base.states import ShardState
from jobs.metrics import metrics
from jobs.metrics.declaring import Declared
from jobs.presence.workers import is_alive
from jobs.tables import Delivery, Job, Shard, WorkerProcess

log = structlog.get_logger(__name__)

_KEPT_S = 5.0

Rows = list[tuple[str, str | None, str | None, float]]


def _part(
    metric: Declared, value: ColumnElement[Any], *labels: ColumnExpressionArgument[Any]
) -> Select[Any]:
    """Give a metric's rows as the union below has them: its name, up to two labels, a value."""
    named = [cast(label, String) for label in labels]
    named += [cast(null(), String)] * (2 - len(labels))
    row: list[Any] = [literal(metric.name), *named, cast(value, Float)]
    return select(*row).group_by(*labels)


_waits = Job.pending_shards > 0
_where_it_waits = Job.pool, Job.priority
_began = func.coalesce(Job.in_progress_at, Job.created_at)
_moved = func.coalesce(Job.last_progress_at, _began)
_is_drained = case((WorkerProcess.drained_at.is_(None), "working"), else_="draining")
_is_pending = Delivery.state == "pending"
_is_leased = Shard.state == ShardState.LEASED

_FIGURES = union_all(
    _part(metrics.QUEUE_SHARDS, func.sum(Job.pending_shards), *_where_it_waits).where(_waits),
    _part(metrics.QUEUE_OLDEST, db_now() - func.min(_began), *_where_it_waits).where(_waits),
    _part(metrics.QUEUE_STANDSTILL, db_now() - func.min(_moved), *_where_it_waits).where(_waits),
    _part(metrics.SHARDS_LEASED, func.count(), Job.pool)
    .join_from(Shard, Job, Job.id == Shard.job_id)
    .where(_is_leased, Shard.lease_until > 0),
    _part(metrics.JOBS, func.count(), Job.status).where(Job.ended_at.is_(None)),
    _part(metrics.DELIVERIES_PENDING, func.count()).select_from(Delivery).where(_is_pending),
    _part(
        metrics.DELIVERIES_OVERDUE,
        func.coalesce(db_now() - func.min(Delivery.due_at), 0.0),
    ).where(_is_pending),
    _part(metrics.WORKERS, func.count(), WorkerProcess.pool, _is_drained).where(is_alive()),
)


class QueueFigures(Collector):
    """Asks the database, and gives what it answered as metrics; safe to share between threads."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._rows: Rows | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give every metric of the queue; of a database that is away only that it is."""
        rows = self._answer()
        up = metrics.DATABASE_UP
        yield GaugeMetricFamily(up.name, up.help, value=float(rows is not None))
        if rows is None:
            return
        for metric in _ASKED:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for name, first, second, value in rows:
                if name == metric.name:
                    labels = [label for label in (first, second) if label is not None]
                    # What is due later is not overdue by less than nothing.
                    family.add_metric(labels, max(value, 0.0))
            yield family

    def _answer(self) -> Rows | None:
        # One thread asks; the others wait for its answer, and need not ask.
        with self._lock:
            now = self._clock()
            if self._asked_at is None or now - self._asked_at >= _KEPT_S:
                self._rows, self._asked_at = self._read(), now
            return self._rows

    def _read(self) -> Rows | None:
        try:
            with self._database.read() as session:
                return [(row[0], row[1], row[2], row[3]) for row in session.execute(_FIGURES)]
        except SQLAlchemyError as err:
            log.warning("queue_not_read", error=type(err).__name__)
            return None


_ASKED = (
    metrics.QUEUE_SHARDS,
    metrics.QUEUE_OLDEST,
    metrics.QUEUE_STANDSTILL,
    metrics.SHARDS_LEASED,
    metrics.JOBS,
    metrics.DELIVERIES_PENDING,
    metrics.DELIVERIES_OVERDUE,
    metrics.WORKERS,
)
