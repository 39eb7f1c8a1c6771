"""Whether jobs can be taken: what is asked of database, storage and Redis, and how often.

Anybody may ask, so the store is written to now and then only, and the reasons are words.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal

import structlog
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.web.listener import Listener
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.storage import BlobMissing, StorageError, StorageFull
from jobs.checkup.grounds import lost_blob, probe_storage
from jobs.checkup.processes import count_workers
from jobs.checkup.tables import is_migrated

log = structlog.get_logger(__name__)

READINESS = "pixelmill.readiness"

DatabaseState = Literal["ok", "away", "not_migrated"]
StorageState = Literal["ok", "away", "full", "missing", "lost"]
ListenerState = Literal["ok", "idle", "not_listening"]

# Between two writes to the store.
_PROBE_S = 5.0


class Readiness:
    """What one process knows of the things it stands on; safe to share between threads."""

    def __init__(
        self, ground: Ground, listener: Listener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ground, self._listener, self._clock = ground, listener, clock
        self._is_migrated = False
        self._probing, self._counting = threading.Lock(), threading.Lock()
        self._storage: StorageState = "away"
        self._probe_at = clock()
        self._workers: dict[str, int] | None = None
        self._counted_at = -_PROBE_S
        self._skew_s = 0.0

    def database(self) -> DatabaseState:
        """Say whether the database answers, and is at this code's revision or a newer one."""
        try:
            with self._ground.database.read() as session:
                now = session.scalar(select(db_now())) or 0.0
                self._skew_s = round(now - time.time(), 1)
                # What was migrated once stays so, and is not looked through again.
                self._is_migrated = self._is_migrated or is_migrated(session.connection())
        except SQLAlchemyError as err:
            log.warning("not_ready", database="away", error=type(err).__name__)
            return "away"
        return "ok" if self._is_migrated else "not_migrated"

    def storage(self) -> StorageState:
        """Say whether the store takes a blob, of which it is asked every few seconds at most.

        While one request waits for a slow store, the others are told what was known: anybody may
        ask, and would else hold every thread of the process.
        """
        if self._probing.acquire(blocking=False):
            try:
                if self._clock() >= self._probe_at:
                    self._storage = self._probed()
                    self._probe_at = self._clock() + _PROBE_S
            finally:
                self._probing.release()
        return self._storage

    def redis_answers(self) -> bool:
        """Say whether Redis answers."""
        return self._ground.hints.is_reachable()

    def listener(self) -> ListenerState:
        """Say whether this process hears of moves; idle until the first answer is held."""
        if not self._listener.has_begun:
            return "idle"
        return "ok" if self._listener.hears else "not_listening"

    def workers(self) -> dict[str, int] | None:
        """Count the workers of each pool that is needed; None when the database is away."""
        with self._counting:
            if self._clock() >= self._counted_at + _PROBE_S:
                self._workers, self._counted_at = self._counted(), self._clock()
            return self._workers

    def clock_skew_s(self) -> float:
        """Say by how much this machine's clock is behind the database's, in seconds."""
        return self._skew_s + 0.0  # and no -0.0

    def _counted(self) -> dict[str, int] | None:
        try:
            with self._ground.database.read() as session:
                return count_workers(session, self._ground.settings)
        except SQLAlchemyError as err:
            log.warning("workers_not_counted", error=type(err).__name__)
            return None

    def _held(self) -> StorageState:
        """Say whether the store has what the database names: one that is empty takes blobs too."""
        try:
            lost = lost_blob(self._ground.database, self._ground.storage)
        except StorageError as err:
            log.warning("not_ready", storage=str(err))
            return "away"
        if lost is not None:
            log.error("not_ready", storage="lost", blob=lost)
        return "ok" if lost is None else "lost"

    def _probed(self) -> StorageState:
        err = probe_storage(self._ground.storage)
        if err is None:
            return self._held()
        log.warning("not_ready", storage=str(err))
        if isinstance(err, StorageFull):
            return "full"
        # Nothing was read: it is the bucket itself that is not there.
        return "missing" if isinstance(err, BlobMissing) else "away"


def readiness() -> Readiness:
    """Give what this application knows of its readiness."""
    found: Readiness = current_app.extensions[READINESS]
    return found
