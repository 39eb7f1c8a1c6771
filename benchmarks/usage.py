"""What a process and all that it has started use: CPU seconds and memory, read from Linux's /proc.

Memory is the proportional set size (PSS) without the files that are mapped: a page that several
processes share counts once among them, so that the sum over a tree is what the tree has written.
Libraries are left out, because processes outside of the tree may have mapped the same.
"""

import os
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# How long to wait between two looks at the memory of a tree, in what a look takes: the kernel walks
# through all pages, 30 to 170 ms of a core for one contestant, which would be taken from its turn.
_PAUSE = 100


def tree(root: int) -> list[int]:
    """Give a process and its living descendants."""
    children = defaultdict(list)
    for folder in _PROC.iterdir():
        if folder.name.isdecimal() and (fields := _stat(int(folder.name))):
            children[int(fields[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_seconds(root: int) -> float:
    """Give the CPU seconds of a tree so far, with those of children that ended and were awaited."""
    used = (_stat(pid)[11:15] for pid in tree(root))
    return sum(int(ticks) for each in used for ticks in each) / _TICKS


def memory_bytes(pid: int) -> int:
    """Give what one process holds; 0 when it has ended meanwhile."""
    with suppress(OSError):
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        held = (line.split() for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        return sum(int(fields[1]) for fields in held) * 1024
    return 0


class PeakMemory:
    """Looks from a thread, and at the end, what memory a tree holds.

    It does so with a hundredth of a core; `pause` is how long it waits in what a look takes.
    """

    def __init__(self, root: int, pause: float = _PAUSE) -> None:
        self.peak_bytes = 0
        self._pause = pause
        self._root = root
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak memory", daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop looking; gives the most bytes that were seen."""
        self._ended.set()
        self._thread.join()
        self._look()
        return self.peak_bytes

    def _run(self) -> None:
        took = 0.0
        while not self._ended.wait(took * self._pause):
            begun = time.thread_time()
            self._look()
            took = time.thread_time() - begun

    def _look(self) -> None:
        held = sum(memory_bytes(pid) for pid in tree(self._root))
        self.peak_bytes = max(self.peak_bytes, held)


def _stat(pid: int) -> list[str]:
    """Read /proc/PID/stat from the state on (its first two fields are left out); [] if it ended."""
    with suppress(OSError):
        # A command's name may hold spaces and brackets: the last bracket ends it.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []
