"""Which files a process keeps its figures in, where several are read together.

prometheus_client keeps them in memory-mapped files of one folder, which whoever is scraped adds up.
By itself it names the files by the process's id, so that every process which ever lived leaves its
own. Here a process takes the first place that nobody living holds, and goes on with the figures of
the dead one before it: no counter falls, and there are never more files than processes at a time.
"""

import fcntl
import os
from itertools import count
from pathlib import Path

# The variable's name is prometheus_client's; whoever starts the processes sets it.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# The lock goes with the process, however it ends.
_held: list[int] = []


def figures_folder() -> Path | None:
    """Give the folder that this process shares with others; None when it is alone."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def take_place(folder: Path) -> str:
    """Take the first free place for as long as this process lives; gives its number."""
    for number in count():
        lock = os.open(folder / f"place-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _held.append(lock)
        return str(number)
    raise AssertionError("counting has no end")
