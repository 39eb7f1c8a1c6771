"""Tells the database that this process lives, and hears whether an operator has drained it."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database
from jobs.presence.version import installed_version
from jobs.presence.workers import SIGN_S, announce, give_sign, is_drained, leave
from workers.process import Process

log = structlog.get_logger(__name__)


class Presence:
    """One thread, which gives signs of life; `may_claim` is asked before every claim.

    It costs a claim nothing: what the row says is read beside the work, every `look_s`. Until it
    has been read for the first time nothing is claimed, so that a drained process which is started
    again begins nothing.
    """

    def __init__(
        self,
        database: Database,
        process: Process,
        look_s: float,
        besides: Callable[[], object] = lambda: None,
    ) -> None:
        """Make one; `besides` is called with every look, for figures that nothing else updates."""
        self._database, self._process = database, process
        self._look_s, self._besides = look_s, besides
        self._is_known, self._is_drained = False, True
        self._signed_at = -SIGN_S
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def may_claim(self) -> bool:
        """Say whether the process may begin something new."""
        return not self._is_drained

    def start(self) -> None:
        """Announce the process, and go on in a thread."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Have it told that the process ends: it takes nothing new while it finishes what it holds.

        Not only when it has ended: a supervisor may give it less time than that takes.
        """
        self._closed.set()

    def close(self) -> None:
        """Say that the process ends, and end the thread."""
        self.stop()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._look_s):
            self._look()
        try:
            leave(self._database, self._process.node)
        except SQLAlchemyError as err:
            # Whoever looks finds out in half a minute.
            log.warning("leaving_not_told", error=type(err).__name__)

    def _look(self) -> None:
        # Without this thread the process would seem dead, and could not be drained. Nothing ends
        # it, and figures that cannot be had keep it from nothing.
        for step in (self._tell_and_hear, self._besides):
            try:
                step()
            except SQLAlchemyError as err:
                log.warning("presence_not_told", error=str(err).splitlines()[0])
            except Exception:
                log.exception("presence_failed")

    def _tell_and_hear(self) -> None:
        node, now = self._process.node, time.monotonic()
        if not self._is_known:
            self._note(announce(self._database, node, self._process.pool, installed_version()))
            self._is_known, self._signed_at = True, now
            return
        if now - self._signed_at >= SIGN_S:
            # A row that is gone is written anew with the next look.
            self._is_known, self._signed_at = give_sign(self._database, node), now
        self._note(is_drained(self._database, node))

    def _note(self, drained: bool) -> None:
        if drained != self._is_drained:
            log.info("worker_drained" if drained else "worker_may_claim", node=self._process.node)
        self._is_drained = drained
