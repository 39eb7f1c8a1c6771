"""Whether jobs can be taken: what is asked of database, storage and Redis, and how often.

Anybody may ask, so the store is written to now and then only, and the reasons are words.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal

import structlog
from flask import current_app
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from api.web.listener import Listener
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.storage import BlobMissing, StorageError, StorageFull
from jobs.tables import Table

log = structlog.get_logger(__name__)

READINESS = "pixelmill.readiness"

DatabaseState = Literal["ok", "away", "not_migrated"]
StorageState = Literal["ok", "away", "full", "missing"]
ListenerState = Literal["ok", "idle", "not_listening"]

# Between two writes to the store.
_PROBE_S = 5.0
# More than a full disk has left in its last pages.
_PROBE = bytes(64 * 1024)
_PROBE_NAME = "probes/readyz"


class Readiness:
    """What one process knows of the things it stands on; safe to share between threads."""

    def __init__(
        self, ground: Ground, listener: Listener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ground, self._listener, self._clock = ground, listener, clock
        self._is_migrated = False
        self._lock = threading.Lock()
        self._storage: StorageState = "ok"
        self._probe_at = clock()

    def database(self) -> DatabaseState:
        """Say whether the database answers and has every table and column that this code reads."""
        try:
            with self._ground.database.read() as session:
                if self._is_migrated:
                    session.scalar(select(db_now()))
                else:
                    self._is_migrated = _has_tables(session.connection())
        except SQLAlchemyError as err:
            log.warning("not_ready", database="away", error=type(err).__name__)
            return "away"
        return "ok" if self._is_migrated else "not_migrated"

    def storage(self) -> StorageState:
        """Say whether the store takes a blob, of which it is asked every few seconds at most."""
        with self._lock:
            if self._clock() >= self._probe_at:
                self._storage = self._probed()
                self._probe_at = self._clock() + _PROBE_S
            return self._storage

    def redis_answers(self) -> bool:
        """Say whether Redis answers."""
        return self._ground.hints.is_reachable()

    def listener(self) -> ListenerState:
        """Say whether this process hears of moves; idle until the first answer is held."""
        if not self._listener.has_begun:
            return "idle"
        return "ok" if self._listener.hears else "not_listening"

    def _probed(self) -> StorageState:
        try:
            # The one blob that is written again and again, so that none is ever left over.
            self._ground.storage.put(_PROBE_NAME, [_PROBE])
        except StorageError as err:
            log.warning("not_ready", storage=str(err))
            if isinstance(err, StorageFull):
                return "full"
            # Nothing was read: it is the bucket itself that is not there.
            return "missing" if isinstance(err, BlobMissing) else "away"
        return "ok"


def readiness() -> Readiness:
    """Give what this application knows of its readiness."""
    found: Readiness = current_app.extensions[READINESS]
    return found


def _has_tables(connection: Connection) -> bool:
    # A database of a newer version has more, and does for this one too.
    found = {
        (table, column["name"])
        for (_, table), columns in inspect(connection).get_multi_columns().items()
        for column in columns
    }
    wanted = {
        (table.name, column.name)
        for table in Table.metadata.tables.values()
        for column in table.columns
    }
    return wanted <= found
