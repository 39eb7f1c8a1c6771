"""Leases that are renewed as long as work on their rows goes on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.bootstrap import Ground
from jobs.base.database import is_outage
from jobs.leases.leases import Lease, LeaseLost, renew

log = structlog.get_logger(__name__)


class Heart:
    """Renews a lease whenever it is time to, in the thread of whoever says that work goes on."""

    def __init__(self, ground: Ground, lease: Lease[Any]) -> None:
        self._ground, self._lease = ground, lease
        self._due = time.monotonic() + ground.settings.renew_s

    def beat(self) -> None:
        """Renew if it is time to; raises LeaseLost when the lease is over.

        A database that is away loses nothing yet: the next beat tries again.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._ground.settings.renew_s
        if not _is_renewed(self._ground, self._lease):
            raise LeaseLost


@contextmanager
def renewed_aside(ground: Ground, lease: Lease[Any]) -> Iterator[None]:
    """Renew a lease from a thread while the block runs, which may wait for others meanwhile."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(ground.settings.renew_s):
            _is_renewed(ground, lease)

    thread = threading.Thread(target=keep, name=lease.of.name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_renewed(ground: Ground, lease: Lease[Any]) -> bool:
    try:
        return renew(ground, lease)
    except SQLAlchemyError as err:
        if not is_outage(err):
            raise
        log.warning("lease_not_renewed", of=lease.of.name, key=lease.key)
        return True
