"""Processes that end with those who started them, and the orphans of those who died.

Linux gives the children of a dead process to its nearest ancestor that has asked for them. The
stack does, so that whatever dies, and however, nothing that it had started is out of reach.
Elsewhere these calls do nothing, and only processes' own groups are ended.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

# prctl(2)
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36

# Here and not in a child between fork and exec, where opening a library can wait for ever.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Ask Linux for the children of every descendant that dies."""
    if _libc is not None:
        _libc.prctl(_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Have this process sent SIGTERM when the process `parent`, which started it, dies."""
    if _libc is not None:
        _libc.prctl(_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # It died before it could be asked.
            os.kill(os.getpid(), signal.SIGTERM)


def children() -> set[int]:
    """Give the ids of this process's own and adopted children; empty where Linux says nothing."""
    pid = os.getpid()
    with suppress(OSError):
        return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


def end_orphans(known: set[int]) -> int:
    """Kill and bury each child that is not `known`, and their children; gives their number."""
    count = 0
    while strangers := children() - known:
        for pid in strangers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        count += len(strangers)
    return count
