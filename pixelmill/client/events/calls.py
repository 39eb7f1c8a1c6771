"""The client's calls that follow jobs: until they are over, and what happens to them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pixelmill.client.calls import job_path
from pixelmill.client.events.following import watch_until_over
from pixelmill.client.events.stream import Event, EventStream
from pixelmill.client.records import Job
from pixelmill.client.waiting import Poller, Progress, wait_until_over
from pixelmill.wire.transport import Transport


class FollowingCalls:
    """What a client can do with a job that runs; part of `pixelmill.Client`."""

    _transport: Transport
    _sleep: Callable[[float], None]
    _job_of: Callable[[Mapping[str, Any]], Job]

    def wait(
        self,
        job: str | Job,
        timeout: float | None = None,
        on_progress: Progress | None = None,
    ) -> Job:
        """Wait until a job is over and give it, however it ended (`.check()` raises if badly).

        `on_progress` is called with the job as it moves, once a second at most, and now and then
        while it does not. Raises WaitTimeout after `timeout` seconds. A server that is away for a
        short while does not end the wait.
        """
        poller = self.poller(job)
        if on_progress is None:
            # Held answers are as quick, and fewer.
            return wait_until_over(poller, timeout, None)
        return watch_until_over(poller, self._events(job, silence=True), timeout, on_progress)

    def events(self, job: str | Job | None = None, *, after: str | None = None) -> Iterator[Event]:
        """Give events as they happen, each thing once, through breaks of the connection.

        Of a job they begin with where it stands and end with it; without one they are those of all
        jobs, from now on and without an end. `after` is the `id` of the last event that is known.
        """
        return (event for event in self._events(job, after) if event is not None)

    def _events(
        self, job: str | Job | None, after: str | None = None, *, silence: bool = False
    ) -> EventStream:
        path = "/v1/events" if job is None else job_path(job) + "/events"
        return EventStream(
            self._transport,
            path,
            after,
            ends_with_job=job is not None,
            silence=silence,
            sleep=self._sleep,
        )

    def poller(self, job: str | Job) -> Poller[Job]:
        """Give what asks for a job again and again."""
        return Poller(self._transport, job_path(job), self._job_of, sleep=self._sleep)
