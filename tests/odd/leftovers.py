"""What a stack must not leave behind when its jobs are over: processes, temporary files, blobs."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.stacks import RunningStack

_DECODERS = b"workers.walls"
# What is kept ready: the servers that fork, of a worker and of io, and a decoder for each core.
_MOST_DECODERS = 2 + (os.cpu_count() or 1)


@dataclass(frozen=True)
class Traces:
    """What is there of a stack at a moment.

    pids: its processes by role. decoders: how many decoder processes. temporary and blobs: paths.
    """

    pids: dict[str, int]
    decoders: int
    temporary: frozenset[str]
    blobs: frozenset[str]


def traces(stack: RunningStack, temporary: Path) -> Traces:
    """Look at a stack whose TMPDIR is `temporary`."""
    return Traces(
        pids=stack.pids,
        decoders=len(decoders_below(stack.process.pid)),
        temporary=frozenset(_files(temporary)),
        blobs=frozenset(_files(stack.data / "blobs")),
    )


def left_over(before: Traces, after: Traces) -> list[str]:
    """Say what is there that was not there before, or no longer."""
    told = [
        f"{role} was process {pid}, now {after.pids.get(role)}: it was started again"
        for role, pid in before.pids.items()
        if after.pids.get(role) != pid
    ]
    if after.decoders > max(before.decoders, _MOST_DECODERS):
        told.append(f"{after.decoders} decoder processes, before it were {before.decoders}")
    for what, early, late in (
        ("temporary file", before.temporary, after.temporary),
        ("blob", before.blobs, after.blobs),
    ):
        told += [f"the {what} {path} was left" for path in sorted(late - early)[:5]]
    return told


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def decoders_below(root: int) -> list[int]:
    """Give the processes below one that decode, and those that they are forked from."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                status = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:  # gone meanwhile
                continue
            if status[0] != "Z":
                parents.setdefault(int(status[1]), []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            if _DECODERS in _command(child):
                found.append(child)
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
