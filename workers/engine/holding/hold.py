"""A leased shard while it runs: it can be told to stop, is seen to move, and waits out the store.

The keeper looks at it from its threads; whoever works on the shard, in one thread or several, says
through it that work goes on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog

from jobs.base.states import ItemStatus
from jobs.base.storage import BlobMissing, StorageError
from jobs.queue.scheduling import ShardLease
from workers.engine.holding.keeper import Stop
from workers.engine.holding.requester import Requester
from workers.engine.timeline import Timeline

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LONGEST_PAUSE_S = 5.0
# Longer than a call of the store takes with all its retries (three minutes), and a statement.
_LONGEST_CALL_S = 300.0


class Abandoned(Exception):
    """The run was told to stop while it waited for the store."""


class Hold:
    """The hold on a leased shard; safe to share between threads."""

    def __init__(self, lease: ShardLease, timeline: Timeline | None = None) -> None:
        self.lease, self.timeline = lease, timeline
        # When it moved last; later than now while a call may take its time.
        self.moved_at = time.monotonic()
        # Whether it stands still because others go first.
        self.is_waiting = False
        self.why: Stop | None = None
        self.stopped = threading.Event()
        self.requester = Requester(lease.tenant_id, self.moved, self.stopped)
        self._lock = threading.Lock()
        # By thread, until when its call of the store or the database may take.
        self._calls: dict[int, float] = {}

    def stop(self, why: Stop) -> None:
        """Ask the run to stop after the batch on the device; the first reason counts."""
        self.why = self.why or why
        self.stopped.set()

    def moved(self) -> None:
        """Say that this run is not stuck."""
        with self._lock:
            self._calls.pop(threading.get_ident(), None)
            self.is_waiting = False
            # What another thread waits for may still take its time.
            self.moved_at = max([time.monotonic(), *self._calls.values()])

    def moves_slowly(self) -> None:
        """Say that this run is not stuck, though its next step may take minutes."""
        self.moved()
        self._extend_stall_limit()

    def waits(self) -> None:
        """Say that this run stands still until `moved`, because others go first."""
        self.is_waiting = True

    def status_not_run(self) -> ItemStatus:
        """Give the status of items that a cancel or the deadline kept from running."""
        return self.why if isinstance(self.why, ItemStatus) else ItemStatus.CANCELLED

    def retry_storage(self, work: Callable[[], T]) -> T:
        """Do something with the store, waiting it out while it is away.

        Raises Abandoned when the shard is lost meanwhile, or to be handed back.
        """
        delay = 0.2
        while True:
            try:
                with self.extended_stall_limit():
                    return work()
            except BlobMissing:
                raise
            except StorageError as err:
                if self.why in ("lost", "hand_back"):
                    raise Abandoned from err
                log.warning("shard_waits_for_storage", shard=self.lease.shard_id, error=str(err))
                self.pause(delay)
                delay = min(delay * 2, _LONGEST_PAUSE_S)

    @contextmanager
    def extended_stall_limit(self) -> Iterator[None]:
        """Wait for the store or the database, which is no stall for as long as a call may take."""
        self._extend_stall_limit()
        try:
            yield
        finally:
            if not self.is_waiting:
                self.moved()

    def pause(self, seconds: float) -> None:
        """Let a while pass before the store or the database is asked again."""
        time.sleep(seconds)
        self._extend_stall_limit()

    def _extend_stall_limit(self) -> None:
        if not self.is_waiting:
            with self._lock:
                self.moved_at = time.monotonic() + _LONGEST_CALL_S
                self._calls[threading.get_ident()] = self.moved_at
