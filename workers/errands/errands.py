"""What an io worker does: prepare jobs, watch folders, end uploads, write, compare, deliver.

All that needs no network, of neurons that is.
"""

import threading
import time
from collections.abc import Callable

import structlog

from jobs.base.bootstrap import Ground
from jobs.base.storage import StorageError
from jobs.buckets.sources import Buckets
from jobs.intake.preparation import prepare_next
from jobs.metrics import metrics
from jobs.outputs.writing import write_next
from jobs.uploads.finishing import finish_next
from models.catalog import prediction_of
from workers.egress import Egress
from workers.errands.comparing import compare_next
from workers.errands.datasets import check_dataset
from workers.errands.delivery import Lines, deliver_next
from workers.errands.evaluating import evaluate_next
from workers.errands.labelling import label_items
from workers.errands.waiting import has_errand
from workers.errands.watching import watch_next
from workers.walls.archives import WalledArchives
from workers.walls.processes import ForkServer
from workers.walls.tables.walled import WalledTables

log = structlog.get_logger(__name__)


# Half of an io process's threads (workers.launcher), and half of these for one receiver.
_MOST_SENDERS = 4
_MOST_FOR_ONE = 2
# Folders that are listed at a time: a store may take minutes for each.
_MOST_WATCHERS = 2
# Outputs that are written at a time: each holds a part in memory.
_MOST_WRITERS = 2


class Errands:
    """Runs errands until there is none; the counterpart of the engine in an io process."""

    def __init__(self, ground: Ground, egress: Egress) -> None:
        self._ground, self._egress = ground, egress
        # Started with the first archive.
        self._fork_server = ForkServer(ground.settings.decoder_module)
        self._archives = WalledArchives(self._fork_server, ground.settings.decoder_memory)
        self._buckets = Buckets(ground, WalledTables(ground.settings.decoder_memory))
        self._stopping = threading.Event()
        # Receivers that are slow or dead may not take every thread from jobs that wait.
        self._senders = threading.BoundedSemaphore(_MOST_SENDERS)
        self._lines = Lines(_MOST_FOR_ONE)
        self._watchers = threading.BoundedSemaphore(_MOST_WATCHERS)
        self._writers = threading.BoundedSemaphore(_MOST_WRITERS)

    def take_back(self) -> None:
        """Do nothing: what a dead io process held is due again when its time is over."""

    def has_work(self) -> bool:
        """Say whether an errand waits."""
        return has_errand(self._ground.database)

    def drain(self) -> int:
        """Run one errand after the other until there is none; gives how many."""
        count = 0
        while not self._stopping.is_set() and self._run_one():
            count += 1
        return count

    def stop(self) -> None:
        """Begin no further errand."""
        self._stopping.set()

    def close(self) -> None:
        """End every process that an archive is read in, and the way to buckets."""
        self._fork_server.close()
        self._buckets.close()

    def tell_figures(self) -> None:
        """Do nothing: all of its figures are told where they come up."""

    def _run_one(self) -> bool:
        prepared = _try(self._prepare)
        # What others wait for goes first: comparing may take minutes.
        # A folder that is due waits for nobody; few are listed at a time.
        done = self._deliver() or prepared or _try(self._finish)
        done = _try(self._watch) or done
        done = _try(self._write) or done
        return done or _try(self._compare) or _try(self._evaluate)

    def _prepare(self) -> bool:
        began_at = time.perf_counter()
        found = prepare_next(
            self._ground, check_dataset, self._archives, label_items, self._buckets
        )
        if found is not None:
            metrics.STAGE_SECONDS.labels("prepare").observe(time.perf_counter() - began_at)
        return found is not None

    def _watch(self) -> bool:
        if not self._watchers.acquire(blocking=False):
            return False
        try:
            return watch_next(self._ground, self._buckets)
        finally:
            self._watchers.release()

    def _write(self) -> bool:
        if not self._writers.acquire(blocking=False):
            return False
        try:
            began_at = time.perf_counter()
            is_tried = write_next(self._ground, self._buckets, prediction_of)
            if is_tried:
                metrics.STAGE_SECONDS.labels("output").observe(time.perf_counter() - began_at)
            return is_tried
        finally:
            self._writers.release()

    def _finish(self) -> bool:
        return finish_next(self._ground)

    def _compare(self) -> bool:
        return compare_next(self._ground)

    def _evaluate(self) -> bool:
        return evaluate_next(self._ground)

    def _deliver(self) -> bool:
        if not self._senders.acquire(blocking=False):
            return False
        try:
            return deliver_next(self._ground, self._egress, self._lines)
        finally:
            self._senders.release()


def _try(run_next: Callable[[], bool]) -> bool:
    """Run an errand; one that waits for the store was handed back, and is due after a pause."""
    try:
        return run_next()
    except StorageError as err:
        log.warning("errand_waits_for_storage", error=str(err))
        return False
