"""A stream of events that goes on after every break, and tells each thing once.

connect ──► events ──► the job is over, or 204 ──► end
▲            └── broken, or ended by a server that stops
└── a pause, then with the last event's id ◄──┘
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from pixelmill.client.records import TERMINAL, Counts
from pixelmill.wire.errors import ConnectionFailed, RateLimited, ServerError, UnexpectedAnswer
from pixelmill.wire.event_stream import MEDIA_TYPE, Message, messages
from pixelmill.wire.transport import Call, Transport

# The server says something in fifteen seconds at least; a stream that is silent for longer is dead,
# or gathered by a proxy on its way.
SILENT_S = 20.0
# A server may be away for a restart.
_OUTAGE_S = 180.0
_PAUSE_S = 2.0
_ENDS = frozenset(f"job.{status}" for status in TERMINAL)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job, or how far it is (`job.progress`).

    `type` is the webhooks' word, such as `job.completed`. `id` is what a stream resumes after;
    progress has none. `reset` is of no job: too much was missed to be told.
    """

    type: str
    timestamp: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)
    id: str | None = None
    job_id: str | None = None
    status: str | None = None
    outcome: str | None = None
    request_counts: Counts = field(default_factory=Counts)
    rate: float | None = None
    eta_seconds: float | None = None

    @classmethod
    def from_message(cls, message: Message) -> Self:
        """Read an event; raises UnexpectedAnswer for one that is none of ours."""
        try:
            raw = json.loads(message.data)
            data = raw["data"] or {}
            known = {name: data[name] for name in ("status", "outcome") if name in data}
            pace = {name: data[name] for name in ("rate", "eta_seconds") if name in data}
            counts = data.get("request_counts") or {}
            names = Counts.__dataclass_fields__
            return cls(
                type=raw["type"],
                timestamp=raw["timestamp"],
                raw=raw,
                id=message.id,
                job_id=data.get("id"),
                request_counts=Counts(**{name: counts[name] for name in names if name in counts}),
                **known,
                **pace,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            raise UnexpectedAnswer(f"the server told of an event {message.data[:80]!r}") from err

    @property
    def is_end(self) -> bool:
        """Whether the job is over with this."""
        return self.type in _ENDS


class EventStream:
    """Follows one path; `after` is the `id` of the last event that is known already.

    `silence` is told by a None now and then, for those who wait for something else besides.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        after: str | None = None,
        *,
        ends_with_job: bool,
        silence: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport, self._path, self._after = transport, path, after
        self._ends_with_job, self._silence = ends_with_job, silence
        self._clock, self._sleep = clock, sleep
        self._pause_s = _PAUSE_S
        # When the server was last heard; None before that.
        self._heard_at: float | None = None
        self._is_over = False

    def __iter__(self) -> Iterator[Event | None]:
        """Give events until the job is over; raises ConnectionFailed once nothing comes at all."""
        while not self._is_over:
            try:
                yield from self._connection()
            except (ConnectionFailed, RateLimited, ServerError):
                # What has never worked will not by trying.
                heard_at = self._heard_at
                if heard_at is None or self._clock() - heard_at > _OUTAGE_S:
                    raise
            if not self._is_over:
                self._sleep(self._pause_s)

    def _connection(self) -> Iterator[Event | None]:
        headers = {"Accept": MEDIA_TYPE}
        if self._after is not None:
            headers["Last-Event-ID"] = self._after
        # Who has another way to know does not try long.
        tries = not self._silence
        call = Call("GET", self._path, headers=headers, repeatable=tries, silent_s=SILENT_S)
        with self._transport.stream(call) as response:
            if response.status_code == httpx.codes.NO_CONTENT:
                self._is_over = True
                return
            if not response.headers.get("content-type", "").startswith(MEDIA_TYPE):
                raise UnexpectedAnswer(f"{self._path} answered with something that is no stream.")
            for message in messages(response.iter_lines()):
                self._heard_at = self._clock()
                yield from self._told(message)

    def _told(self, message: Message) -> Iterator[Event | None]:
        if message.retry_ms is not None:
            self._pause_s = message.retry_ms / 1000
        if message.data:
            event = Event.from_message(message)
            self._after = message.id or self._after
            # A deletion may follow, and the connection's end does.
            self._is_over = self._is_over or (self._ends_with_job and event.is_end)
            yield event
            return
        self._after = message.id or self._after
        # A place alone begins a stream.
        if self._silence and message.id is None:
            yield None
