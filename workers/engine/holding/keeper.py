"""Keeps the leases of one process alive, and tells its shards when to stop.

Two threads, so that waiting for the database neither looks like silence nor hides a stall. One asks
twice a second whether a held shard's job is being ended, and every few seconds renews all leases in
one statement; a shard whose lease is gone is told to stop, since its commit would be discarded. The
other says that the process lives, and looks whether its shards move.

When nothing has moved for `stall_s` the process ends itself: it can neither be trusted to finish
nor be helped from inside, and its leases then run out by themselves. The time in which the whole
process stood still (stopped, or on a machine that slept) is no stall of a shard.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database
from jobs.base.settings import Settings
from jobs.base.states import ItemStatus
from jobs.metrics import metrics
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import ending_of, renew

log = structlog.get_logger(__name__)

Stop = Literal["lost", "hand_back"] | ItemStatus

STALLED_EXIT_CODE = 75

_LOOK_S = 0.5
# A look that comes so late comes from a process that was not running.
_ASLEEP_S = 2.0


class Kept(Protocol):
    """A running shard, as the keeper sees it."""

    lease: ShardLease
    # When it moved last; later than now while a call may take its time.
    moved_at: float
    # Whether it stands still because others go first, which is no stall.
    is_waiting: bool

    def stop(self, why: Stop) -> None: ...
    def moved(self) -> None: ...


class Keeper:
    """Holds the leases of the shards that run in this process."""

    def __init__(
        self,
        database: Database,
        owner: str,
        settings: Settings,
        end_process: Callable[[int], object] = os._exit,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        self._database, self._owner, self._settings = database, owner, settings
        self._end_process, self._beat = end_process, beat
        self._runs: dict[int, Kept] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._hand_back_at: float | None = None
        self._renewed_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._watch, name="keeper", daemon=True),
            threading.Thread(target=self._renew, name="renewer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def hold(self, run: Kept) -> None:
        """Keep a running shard's lease from now on."""
        with self._lock:
            earlier = self._runs.get(run.lease.shard_id)
            self._runs[run.lease.shard_id] = run
        if earlier is not None:
            # This process lost the shard and claimed it anew while the first run was still at it.
            earlier.stop("lost")

    def release(self, run: Kept) -> None:
        """Keep it no longer."""
        with self._lock:
            if self._runs.get(run.lease.shard_id) is run:
                del self._runs[run.lease.shard_id]

    def tenants(self) -> frozenset[str]:
        """Give the tenants of whom a shard runs here."""
        with self._lock:
            return frozenset(run.lease.tenant_id for run in self._runs.values())

    def hand_back_after(self, grace_s: float) -> None:
        """Tell every shard that still runs after the grace time to be handed back."""
        self._hand_back_at = time.monotonic() + grace_s

    def close(self) -> None:
        """End both threads."""
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def _watch(self) -> None:
        while not self._sleep():
            self._beat()
            with self._lock:
                runs = dict(self._runs)
            self._check_stall(runs)
            if self._hand_back_at is not None and time.monotonic() > self._hand_back_at:
                _stop_all(runs, "hand_back")

    def _renew(self) -> None:
        while not self._closed.wait(_LOOK_S):
            with self._lock:
                runs = dict(self._runs)
            try:
                self._look_after(runs)
            except SQLAlchemyError as err:
                log.warning("renewal_failed", error=str(err).splitlines()[0])

    def _sleep(self) -> bool:
        """Wait for the next look; True when there is to be none."""
        before = time.monotonic()
        is_over = self._closed.wait(_LOOK_S)
        if time.monotonic() - before > _ASLEEP_S:
            with self._lock:
                for run in self._runs.values():
                    if not run.is_waiting and run.moved_at < time.monotonic():
                        run.moved()
        return is_over

    def _look_after(self, runs: dict[int, Kept]) -> None:
        if not runs:
            return
        if time.monotonic() - self._renewed_at < self._settings.renew_s:
            ending = ending_of(self._database, list(runs))
        else:
            leases = [run.lease for run in runs.values()]
            renewal = renew(self._database, self._owner, leases, self._settings.lease_s)
            self._renewed_at = time.monotonic()
            metrics.LEASES_LOST.inc(len(renewal.lost))
            _stop_all({shard_id: runs[shard_id] for shard_id in renewal.lost}, "lost")
            ending = renewal.ending
        for shard_id, status in ending.items():
            runs[shard_id].stop(status)

    def _check_stall(self, runs: dict[int, Kept]) -> None:
        limit = time.monotonic() - self._settings.stall_s
        moving = [run for run in runs.values() if not run.is_waiting]
        stalled = [run.lease.shard_id for run in moving if run.moved_at < limit]
        if stalled:
            log.error("process_stalled", shards=stalled, stall_s=self._settings.stall_s)
            self._end_process(STALLED_EXIT_CODE)


def _stop_all(runs: dict[int, Kept], why: Stop) -> None:
    for run in runs.values():
        run.stop(why)
