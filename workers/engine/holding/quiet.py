"""Lets a suspect run alone: everything else in the process waits while it does.

An item that may kill the process must have no company, or the company would be suspected with it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Between two looks whether who waits has been told to stop.
_LOOK_S = 0.5

GiveWay = Callable[[], object]


class Quiet:
    """A lock that many share or one has alone; who wants it alone goes first.

    Who is told to stop while waiting is let in at once: such a run does nothing any more but to say
    how it ended.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Who runs beside others, and how each is asked to give way where it can.
        self._sharing: dict[object, GiveWay | None] = {}
        self._alone = False
        self._wanting = 0

    @property
    def is_wanted_alone(self) -> bool:
        """Whether somebody runs alone, or waits to."""
        return self._alone or self._wanting > 0

    @contextmanager
    def shared(
        self, told_to_stop: threading.Event, give_way: GiveWay | None = None
    ) -> Iterator[None]:
        """Run beside others; `give_way` is called when somebody wants to run alone."""
        me = object()
        with self._changed:
            self._wait(lambda: not self.is_wanted_alone, told_to_stop)
            self._sharing[me] = give_way
        try:
            yield
        finally:
            with self._changed:
                del self._sharing[me]
                self._changed.notify_all()

    @contextmanager
    def alone(self, told_to_stop: threading.Event) -> Iterator[None]:
        """Run when nothing else does."""
        with self._changed:
            self._wanting += 1
            for give_way in self._sharing.values():
                if give_way is not None:
                    give_way()
            self._wait(lambda: not self._alone and not self._sharing, told_to_stop)
            self._wanting -= 1
            is_mine = not self._alone and not self._sharing
            self._alone |= is_mine
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                if is_mine:
                    self._alone = False
                self._changed.notify_all()

    def _wait(self, is_free: Callable[[], bool], told_to_stop: threading.Event) -> None:
        while not is_free() and not told_to_stop.is_set():
            self._changed.wait(_LOOK_S)
