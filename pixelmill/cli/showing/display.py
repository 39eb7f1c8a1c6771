"""What a person sees: progress and messages on stderr, so that stdout holds results alone."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pixelmill.client.records import Job

# The rate is that of the last half minute: an average over hours would hide a stall.
_WINDOW_S = 30.0
# Where no bar can be drawn, in a log, one line in so many seconds is enough.
_LINE_EVERY_S = 10.0
_MIB = 1024 * 1024
# More faults of one manifest tell little more; --json has them all.
_SHOWN_FAULTS = 10


def say(message: str) -> None:
    """Write a message to stderr."""
    if sys.stderr is None:
        return
    sys.stderr.write(printable(message) + "\n")
    sys.stderr.flush()


def say_step(message: str) -> None:
    """Write what is done next to stderr, if somebody sits before it."""
    if sys.stderr is not None and sys.stderr.isatty():
        say(message)


def printable(text: str) -> str:
    """Replace control characters: names of files and messages of others may not move the cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def say_left_out(job: Job) -> None:
    """Say which files stayed here when a job was submitted, if any did."""
    if job.left_out.count:
        say(f"not sent: {job.left_out}")


class Rate:
    """Items per second over the last half minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, finished: int) -> float:
        """Take the number of items finished by now and give the rate; 0.0 while it is unknown."""
        now = self._clock()
        self._seen.append((now, finished))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _WINDOW_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return (finished - before) / (now - since) if now > since else 0.0


def progress_text(job: Job, rate: float) -> str:
    """Say how far a job is: counts, rate and the time that is left."""
    counts = job.request_counts
    text = f"{counts.finished}/{counts.total} images, {counts.failed} failed"
    if job.is_terminal:
        return text
    if not counts.finished and job.queue.position:
        text += f", {job.queue.position} in the queue"
    if rate > 0:
        text += f", {rate:.1f} images/s"
    left = job.queue.eta_seconds
    if left is None and rate > 0:
        left = (counts.total - counts.finished) / rate
    return text if left is None else f"{text}, {_duration(left)} left"


@contextmanager
def job_progress() -> Iterator[Callable[[Job], None]]:
    """Give a function that shows a job: a bar on a terminal, else a line now and then."""
    rate = Rate()
    if not sys.stderr.isatty():
        lines = _Lines()
        yield lambda job: lines.show(job, rate.update(job.request_counts.finished))
        return
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("validating", total=None, text="")
        yield lambda job: _draw(bar, task, job, rate.update(job.request_counts.finished))


@contextmanager
def upload_progress() -> Iterator[Callable[[int], None] | None]:
    """Give a function that shows how many bytes were sent; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status("uploading") as status:
        yield lambda sent: status.update(f"uploading, {sent / _MIB:.1f} MiB sent")


class _Lines:
    """Progress as plain lines, where stderr is a file or a pipe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()

    def show(self, job: Job, rate: float) -> None:
        if job.is_terminal or self._clock() >= self._due:
            self._due = self._clock() + _LINE_EVERY_S
            say(f"{job.id} {job.status}: {progress_text(job, rate)}")


def _draw(bar: Progress, task: TaskID, job: Job, rate: float) -> None:
    bar.update(
        task,
        description=job.status,
        # A bar without a total pulses: until the items are listed their number is unknown.
        total=job.request_counts.total or None,
        completed=job.request_counts.finished,
        text=progress_text(job, rate),
    )


def job_lines(job: Job) -> str:
    """Describe a job in a few lines."""
    counts = job.request_counts
    ended = ("completed", "failed", "processing", "cancelled", "expired")
    parts = [f"{getattr(counts, name)} {name}" for name in ended if getattr(counts, name)]
    rows = [
        ("job", job.id),
        ("status", job.status + (f" ({job.outcome})" if job.outcome else "")),
        ("reason", job.status_reason or ""),
        ("model", str(job.model)),
        ("of", f"{job.parent_id} ({job.kind})" if job.parent_id else ""),
        ("images", f"{counts.total}: {', '.join(parts)}" if parts else str(counts.total)),
        ("created", timestamp(job.created_at)),
        ("output", _output_text(job.output) if job.output else ""),
    ]
    rows += [("error", fault) for fault in fault_lines(job)]
    lines = "".join(f"{name:<9}{printable(value)}\n" for name, value in rows if value)
    return lines + (f"{printable(str(job.skipped))}\n" if job.skipped.count else "")


def _output_text(output: Mapping[str, Any]) -> str:
    error = output.get("error") or {}
    why = f": {error['message']}" if error.get("message") else ""
    return f"{output.get('status')}  {output.get('manifest') or output.get('url')}{why}"


def fault_lines(job: Job) -> list[str]:
    """Say what was wrong with a job's input, a line each; nothing of a job that has no such fault.

    Of many faults the first are said, and how many more there are.
    """
    said = [_fault_text(fault) for fault in job.errors[:_SHOWN_FAULTS]]
    more = len(job.errors) - len(said)
    if more > 0:
        said.append(f"and {more} more; `pixelmill status {job.id} --json` has them all")
    return said


def _fault_text(fault: Mapping[str, Any]) -> str:
    message, line, code = str(fault.get("message") or ""), fault.get("line"), fault.get("code")
    # The server's own words begin with the line as a rule.
    if line is not None and not message.startswith((f"Line {line}", f"Item {line}")):
        message = f"line {line}: {message}"
    return f"{message} ({code})" if code else message


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns; nothing is cut off, so that what is printed can be copied."""
    table = [header, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in table
    )


def timestamp(seconds: int) -> str:
    """Show Unix seconds as a date in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
