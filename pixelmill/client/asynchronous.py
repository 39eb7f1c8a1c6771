"""The client for programs that await: the same calls, from the same core.

async with AsyncClient() as client:
    job = await client.submit("photos/", model="digits")
    async for result in client.results(job, follow=True):
        print(result.custom_id, result.predictions)

Each call runs in a thread, so that there is one client to be right and not two. Rows are handed
over by the page, and who waits for a job holds a thread for one question at a time only.
"""

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial, wraps
from itertools import islice
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import anyio
import anyio.to_thread

from pixelmill.client.client import Client
from pixelmill.client.records import Job, Result
from pixelmill.client.results.results import Results
from pixelmill.client.waiting import Progress, next_hold
from pixelmill.wire.abandoning import abandonable

P = ParamSpec("P")
T = TypeVar("T")

# Together fewer than the connections that the client under it keeps, so that none waits for one.
_CALLS, _HELD = 40, 40
_ITEMS_A_TURN = 100


def _awaited(
    method: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate["AsyncClient", P], Awaitable[T]]:
    """Give the awaited form of a call of Client, with its words and its parameters."""

    @wraps(method)
    async def awaited(self: "AsyncClient", *args: P.args, **named: P.kwargs) -> T:
        return await self.call(lambda client: method(client, *args, **named))

    # What wraps gives has another type, though one may be called as the other.
    return cast("Callable[Concatenate[AsyncClient, P], Awaitable[T]]", awaited)


class AsyncClient:
    """`Client`, awaited: takes the same arguments, and runs under asyncio and trio.

    What has no name here is done by `call`: `await client.call(lambda c: c.trainings.get(name))`.
    A call that is cancelled sends nothing more: an upload breaks off, and no job follows it. What
    was on its way at that moment the server may have got, so repeat a `submit` under its
    `idempotency_key`.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        self._client = Client(*args, **named)
        self._calls = anyio.CapacityLimiter(_CALLS)
        self._held = anyio.CapacityLimiter(_HELD)

    async def __aenter__(self) -> Self:
        """Give the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._client.close()

    submit = _awaited(Client.submit)
    upload = _awaited(Client.upload)
    predict = _awaited(Client.predict)
    job = _awaited(Client.job)
    cancel = _awaited(Client.cancel)
    delete = _awaited(Client.delete)
    rerun = _awaited(Client.rerun)
    retry = _awaited(Client.retry)
    overlay = _awaited(Client.overlay)
    summary = _awaited(Client.summary)
    share = _awaited(Client.share)

    async def call(self, work: Callable[[Client], T]) -> T:
        """Do in a thread whatever the client that does not await can do, and give its result."""
        return await self._in_thread(partial(work, self._client), self._calls)

    async def wait(
        self,
        job: str | Job,
        timeout: float | None = None,  # the same word as Client's, and its error
        on_progress: Progress | None = None,
    ) -> Job:
        """Wait until a job is over and give it, however it ended; as `Client.wait`."""
        began_at = time.monotonic()
        poller = await self.call(lambda client: client.poller(job))
        while True:
            if on_progress:
                on_progress(poller.job)
            if poller.job.is_terminal:
                return poller.job
            waited_s = time.monotonic() - began_at
            hold_s = next_hold(poller.job, timeout, waited_s, is_watched=on_progress is not None)
            await self._in_thread(partial(poller.next, hold_s), self._held)

    async def results(
        self, job: str | Job, *, follow: bool = False, status: str | None = None
    ) -> AsyncIterator[Result]:
        """Give the results there are, in the order of their commit, as `Client.results`."""
        pages = self._client.result_pages(job, follow=follow, status=status)
        while (page := await self._in_thread(partial(next, pages, None), self._held)) is not None:
            for result in page:
                yield result

    async def whole_results(
        self, job: str | Job, read: Callable[[Results], T], *, status: str | None = None
    ) -> T:
        """Give what is read of all results: `await client.whole_results(job, Results.to_pandas)`.

        What is read then is a data frame, or a file by `lambda found: found.save("a.parquet")`.
        """
        return await self.call(lambda client: read(client.results(job, status=status)))

    async def jobs(self, **query: Any) -> AsyncIterator[Job]:
        """Give the tenant's jobs, newest first, as `Client.jobs`."""
        found = self._client.jobs(**query)
        while some := await self._in_thread(partial(_some_of, found), self._calls):
            for job in some:
                yield job

    async def _in_thread(self, work: Callable[[], T], limiter: anyio.CapacityLimiter) -> T:
        abandoned = threading.Event()

        def run() -> T:
            with abandonable(abandoned):
                return work()

        try:
            return await anyio.to_thread.run_sync(run, limiter=limiter, abandon_on_cancel=True)
        finally:
            abandoned.set()


def _some_of(jobs: Iterator[Job]) -> list[Job]:
    return list(islice(jobs, _ITEMS_A_TURN))
