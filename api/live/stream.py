"""One open stream: what has yet to be written to its peer. It belongs to the event loop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from api.live import texts
from api.live.answer import Watch
from jobs.events.glimpses import Event, Glimpse

# A peer that has not taken so many events is behind for good: it is cut, and resumes.
_MOST_UNSENT = 1000


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened, written once for all who are told of it."""

    number: int
    job: Glimpse
    text: bytes

    @classmethod
    def of(cls, event: Event, job: Glimpse) -> Self:
        """Write an event."""
        return cls(event.number, job, texts.happened(event, job))


class Stream:
    """A peer's place in the order of its tenant's events; `number` is the last that it was told."""

    def __init__(self, watch: Watch, number: int, *, is_over: bool = False) -> None:
        self.watch, self.number, self.is_over = watch, number, is_over
        # Whether the peer was too slow to be told everything.
        self.is_behind = False
        self._moved = asyncio.Event()
        self._texts: list[bytes] = []
        # Of progress only the newest counts.
        self._progress: dict[str, bytes] = {}

    def tell(self, happened: Sequence[Happened]) -> None:
        """Take what happened to its tenant's jobs, in order."""
        for each in happened:
            if each.number <= self.number or not self._concerns(each.job):
                continue
            self._progress.pop(each.job.id, None)
            self._texts.append(each.text)
            # A deletion may follow at once, and is told as well.
            self.is_over = self.is_over or (self.watch.job_id is not None and each.job.is_over)
            self._moved.set()
        self.number = max(self.number, happened[-1].number)
        if len(self._texts) > _MOST_UNSENT:
            self.is_behind = True
            self.end()

    def tell_progress(self, job: Glimpse, text: bytes) -> None:
        """Take how far a job is."""
        if self._concerns(job):
            self._progress[job.id] = text
            self._moved.set()

    def end(self) -> None:
        """Have the stream end once what it holds is written."""
        self.is_over = True
        self._moved.set()

    def take(self) -> bytes:
        """Give all that is to be written now."""
        text = b"".join((*self._texts, *self._progress.values()))
        self._texts.clear()
        self._progress.clear()
        self._moved.clear()
        return text

    async def wait(self) -> None:
        """Return when there is something to write, or the stream is over."""
        if not self.is_over:
            await self._moved.wait()

    def _concerns(self, job: Glimpse) -> bool:
        watch = self.watch
        return job.tenant_id == watch.tenant_id and watch.job_id in (None, job.id)
