"""Memory that was freed goes back to the system when a process has had nothing to do for a while.

While it computes, the C library keeps what a batch took for the next (`workers.launcher`): giving
it back costs page faults. Without this a few large files would be held for ever.
"""

import threading
from collections.abc import Callable

# Looks in a row that find nothing: a process between two small jobs is not at rest.
_LOOKS = 2


class Rest:
    """Counts looks for work that found none; safe to share between threads."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        """`give_back` is called once for each time of rest."""
        self._give_back = give_back
        self._lock = threading.Lock()
        self._idle_looks = 0

    def note(self, *, has_work: bool) -> None:
        """Take note of what a look for work has found."""
        with self._lock:
            self._idle_looks = 0 if has_work else self._idle_looks + 1
            is_due = self._idle_looks == _LOOKS
        if is_due:
            self._give_back()
