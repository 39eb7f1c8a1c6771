"""Writes open streams of events, without a thread: one look at a time serves all of a process.

The looking begins with the first stream and ends with the last. Between two looks a second passes,
or less when something is said to have moved (api.web.listener); that may be lost, so nobody counts
on it.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.app import Application
from api.current import EXTENSION
from api.front.connection import House
from api.front.limits import HEARTBEAT_S
from api.front.peer import GoneError, Peer
from api.live import texts
from api.live.answer import Live
from api.live.feed import FEED, PROGRESS_S, Feed
from api.live.looking import carry_out
from api.live.stream import Stream
from api.web.listener import LISTENER, Listener

log = structlog.get_logger(__name__)

# Between two looks, however much moves: five looks a second serve any number of streams.
_LEAST_PAUSE_S = 0.2


class Streaming:
    """The streams of a process and the looking for them; `pool` runs the looks."""

    def __init__(self, app: Application, pool: ThreadPoolExecutor) -> None:
        self._database = app.extensions[EXTENSION].database
        self._feed: Feed = app.extensions[FEED]
        self._listener: Listener = app.extensions[LISTENER]
        self._pool = pool
        self._looking: asyncio.Task[None] | None = None
        self._is_blind = False

    async def serve(self, live: Live, peer: Peer, house: House) -> None:
        """Write a stream that has begun until it is over; raises GoneError."""
        stream = Stream(live.watch, live.number, is_over=live.is_all)
        self._feed.join(stream)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_watched())
        ends = asyncio.create_task(_first_end(peer, house))
        ends.add_done_callback(lambda _: stream.end())
        try:
            await _write(stream, peer)
        finally:
            self._feed.leave(stream)
            ends.cancel()

    async def _look_while_watched(self) -> None:
        loop, moved = asyncio.get_running_loop(), asyncio.Event()

        def wake(what: str) -> None:
            if self._feed.concerns(what):
                loop.call_soon_threadsafe(moved.set)

        with self._listener.calling_for_all(wake):
            while self._feed.is_watched:
                # Before the look: what is told during it is looked at once more.
                moved.clear()
                await self._look()
                await asyncio.sleep(_LEAST_PAUSE_S)
                try:
                    async with asyncio.timeout(PROGRESS_S - _LEAST_PAUSE_S):
                        await moved.wait()
                except TimeoutError:
                    continue

    async def _look(self) -> None:
        plan, streams = self._feed.plan()
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, carry_out, self._database, plan)
        except SQLAlchemyError as err:
            # The streams stay open: what they miss meanwhile is read once the database is back.
            if not self._is_blind:
                log.warning("events_not_read", error=type(err).__name__)
            self._is_blind = True
        except Exception:
            # Nobody would be told anything any more.
            log.exception("events_failed")
        else:
            self._is_blind = False
            self._feed.tell(plan, streams, found)


async def _write(stream: Stream, peer: Peer) -> None:
    while True:
        text = stream.take()
        if stream.is_behind:
            peer.cut()
            raise GoneError
        if text:
            await peer.send(text)
        elif stream.is_over:
            return
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await stream.wait()
        except TimeoutError:
            await peer.send(texts.HEARTBEAT)


async def _first_end(peer: Peer, house: House) -> None:
    """Return when the peer leaves, or the server stops."""
    gone = asyncio.create_task(peer.wait_until_gone())
    closing = asyncio.create_task(house.is_closing.wait())
    try:
        await asyncio.wait({gone, closing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        closing.cancel()
