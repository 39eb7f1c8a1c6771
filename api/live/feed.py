"""All open streams of a process: how many there may be, and what each look tells them.

    plan ──► carry_out, in a thread ──► tell ──► each stream that was open when the look began
     ▲                                   │
     └────── a second later, or when something is said to have moved

The numbers that a look begins after are those of the streams themselves. So a stream that opens
between two looks misses nothing, and one that has seen more than others sees nothing twice.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from flask import current_app

from api.live import texts
from api.live.looking import Found, Plan
from api.live.stream import Happened, Stream
from jobs.base.errors import TooManyRequests, Unavailable
from jobs.events.glimpses import Glimpse, in_order
from jobs.tenants.sessions import Visit

FEED = "pixelmill.feed"

# Open streams of one process, and those of one tenant among them: each takes about 20 KB.
MOST_STREAMS = 4000
MOST_OF_A_TENANT = 1000

# Progress is looked for once in a second; whether keys are good and sessions go on, in so many.
PROGRESS_S, KEYS_S = 1.0, 3.0


class Feed:
    """The streams; but for places, which any thread may take, all of it is the event loop's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._places: Counter[str] = Counter()
        self._streams: set[Stream] = set()
        self._watched: Counter[str | None] = Counter()
        # When each running job was last seen to have had progress.
        self._progress_at: dict[str, float | None] = {}
        self._progress_due = self._keys_due = clock()

    @property
    def is_watched(self) -> bool:
        """Whether any stream is open."""
        return bool(self._streams)

    def take_place(self, tenant_id: str) -> Callable[[], None]:
        """Take a place for a stream and give what gives it back, once.

        Raises Unavailable and TooManyRequests when there is none.
        """
        with self._lock:
            if self._places.total() >= MOST_STREAMS:
                raise Unavailable(f"{MOST_STREAMS:,} streams are open here already; come again.")
            if self._places[tenant_id] >= MOST_OF_A_TENANT:
                raise TooManyRequests(
                    f"{MOST_OF_A_TENANT:,} streams of this tenant are open already. Close some; "
                    "one stream of all jobs tells as much as one of each."
                )
            self._places[tenant_id] += 1
        held = [tenant_id]

        def give_back() -> None:
            with self._lock:
                if held:
                    self._places[held.pop()] -= 1
                    self._places += Counter()  # forgets whom nobody watches

        return give_back

    def join(self, stream: Stream) -> None:
        """Tell a stream from the next look on."""
        self._streams.add(stream)
        self._watched[stream.watch.job_id] += 1

    def leave(self, stream: Stream) -> None:
        """Tell a stream no more."""
        self._streams.discard(stream)
        self._watched[stream.watch.job_id] -= 1
        if not self._watched[stream.watch.job_id]:
            del self._watched[stream.watch.job_id]

    def concerns(self, what: str) -> bool:
        """Say whether anybody may want to know that something moved; any thread may ask."""
        return None in self._watched or what in self._watched

    def plan(self) -> "tuple[Plan, frozenset[Stream]]":
        """Say what is to be looked at now, and for whom."""
        now, streams = self._clock(), frozenset(self._streams)
        after: dict[str, int] = {}
        for each in streams:
            tenant = each.watch.tenant_id
            after[tenant] = min(after.get(tenant, each.number), each.number)
        jobs = tenants = keys = frozenset[str]()
        visits = frozenset[Visit]()
        if now >= self._progress_due:
            self._progress_due = now + PROGRESS_S
            jobs = frozenset(each.watch.job_id for each in streams if each.watch.job_id)
            tenants = frozenset(
                each.watch.tenant_id for each in streams if each.watch.job_id is None
            )
        if now >= self._keys_due:
            self._keys_due = now + KEYS_S
            keys = frozenset(each.watch.key_id for each in streams)
            visits = frozenset(each.watch.visit for each in streams if each.watch.visit)
        return Plan(after, jobs, tenants, keys, visits), streams

    def tell(self, plan: Plan, streams: Collection[Stream], found: Found) -> None:
        """Tell the streams for whom a look was what it has found."""
        watching: dict[str, list[Stream]] = {}
        for stream in streams:
            watching.setdefault(stream.watch.tenant_id, []).append(stream)
        for tenant_id, number in plan.after.items():
            jobs = [job for job in found.jobs if job.tenant_id == tenant_id]
            if happened := [Happened.of(*each) for each in in_order(jobs, number)]:
                for stream in watching[tenant_id]:
                    stream.tell(happened)
        if plan.jobs or plan.tenants:
            for job in self._moved(found.jobs):
                text = texts.progress(job)
                for stream in watching.get(job.tenant_id, ()):
                    stream.tell_progress(job, text)
        for stream in streams:
            is_revoked = bool(plan.keys) and stream.watch.key_id not in found.good_keys
            if is_revoked or stream.watch.visit in found.over:
                stream.end()

    def _moved(self, jobs: Iterable[Glimpse]) -> list[Glimpse]:
        """Give the running jobs that had progress since they were last looked at for it."""
        before = self._progress_at
        running = [job for job in jobs if not job.is_over and job.last_progress_at]
        # Those that were not seen had none for longer than a look looks back.
        self._progress_at = {job.id: job.last_progress_at for job in running}
        return [job for job in running if before.get(job.id) != job.last_progress_at]


def feed() -> Feed:
    """Give the streams of this process."""
    found: Feed = current_app.extensions[FEED]
    return found
