"""Lets a process and all that it has started stand still, and go on."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from benchmarks.usage import tree

# Seconds. Children say that they live before their parents look: so long they go on alone.
_AHEAD_S, _SETTLE_S = 1.5, 0.5


def freeze(root: int) -> None:
    """Stop a tree, parents first, so that none sees a child that is silent."""
    stopped: set[int] = set()
    # A child may have been started between the look and its parent's stop.
    while new := [pid for pid in tree(root) if pid not in stopped]:
        _send(signal.SIGSTOP, new)
        stopped.update(new)


def thaw(root: int) -> None:
    """Let a tree go on: those that watch nobody first, and their parents a moment later."""
    pids = tree(root)
    leaves = [pid for pid in pids if len(tree(pid)) == 1]
    _send(signal.SIGCONT, leaves)
    time.sleep(_AHEAD_S)
    _send(signal.SIGCONT, reversed(pids))
    # What has become due meanwhile is done now, not in the turn.
    time.sleep(_SETTLE_S)


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
