"""The ASGI application: peers on the one side, Flask in a bounded pool of threads on the other."""

import asyncio
import ctypes
import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import structlog

from api.app import Application, create_app
from api.current import EXTENSION
from api.front.connection import HOUSE, House
from api.front.environ import environ_of
from api.front.exchange import Answer, Exchange, Outcome, WantsBody
from api.front.limits import LONGEST_TARGET, MOST_HEADERS, SENT
from api.front.peer import GoneError, Peer
from api.front.streaming import Streaming
from api.web.listener import LISTENER, Listener
from api.web.logs import HEADER, new_request_id, without_keys
from api.web.problems import MEDIA_TYPE, problem_body
from api.web.waiting import HELD, NOT_HELD, Held, pause_s, place_of
from jobs.base.bootstrap import Ground
from jobs.base.settings import load_settings

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

# Threads for the pieces of uploads, and for those of streamed answers: both are many and long, and
# with more of them at a time a short request would wait for the interpreter. Arrow keeps memory for
# each thread that reads segments.
_UPLOAD_THREADS, _STREAM_THREADS = 4, 2
# For what a thread is in the middle of when the server has stopped.
_LAST_S = 5.0


def create_front() -> "Front":
    """Make the front of the application that the settings name, for uvicorn."""
    return Front(create_app(), load_settings().api_threads)


class Front:
    """An ASGI application that runs a Flask one in `threads` threads."""

    def __init__(self, app: Application, threads: int) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._uploads = ThreadPoolExecutor(_UPLOAD_THREADS, thread_name_prefix="upload")
        self._streams = ThreadPoolExecutor(_STREAM_THREADS, thread_name_prefix="stream")
        self._held = 0
        self._streaming = Streaming(app, self._pool)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the life of the process."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        peer = Peer(scope, receive, send)
        try:
            await self._serve(scope, peer)
        except GoneError:
            log.info("peer_gone", method=scope["method"], path=without_keys(scope["path"]))
        finally:
            peer.count_bytes()

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        _end_with_parent()
        scope["state"][HOUSE] = House()
        # What lives as long as the process is left out of every later collection of garbage.
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        listener: Listener = self._app.extensions[LISTENER]
        listener.close()
        for pool in (self._pool, self._uploads, self._streams):
            pool.shutdown(wait=False, cancel_futures=True)
        # Python would wait for a thread that a dead database holds.
        last = threading.Timer(_LAST_S, os._exit, [1])
        last.daemon = True
        last.start()
        ground: Ground = self._app.extensions[EXTENSION]
        ground.traces.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Any, peer: Peer) -> None:
        refusal = _refusal_of(scope)
        if refusal is not None:
            await _send_whole(peer, *refusal)
            return
        exchange = Exchange(self._app, environ_of(scope))
        try:
            outcome = await self._run(exchange.inside, exchange.begin)
            if isinstance(outcome, WantsBody):
                outcome = await self._take_body(exchange, peer)
            while isinstance(outcome, Held):
                outcome = await self._hold(exchange, outcome, peer, scope["state"][HOUSE])
            assert isinstance(outcome, Answer)
            await self._send(exchange, outcome, peer, scope["state"][HOUSE])
        finally:
            await asyncio.shield(self._run(exchange.inside, exchange.close))

    async def _take_body(self, exchange: Exchange, peer: Peer) -> Outcome:
        last = b""
        try:
            async for chunk in peer.body():
                if last:
                    refused = await self._run(
                        exchange.inside, exchange.feed, last, pool=self._uploads
                    )
                    if refused is not None:
                        return cast("Answer", refused)
                last = chunk
        except Exception as err:
            if last:
                await self._run(exchange.inside, exchange.feed, last, pool=self._uploads)
            if isinstance(err, GoneError):
                raise
            answer: Answer = await self._run(exchange.inside, exchange.fail, err)
            return answer
        outcome: Outcome = await self._run(exchange.inside, exchange.finish, last)
        return outcome

    async def _hold(self, exchange: Exchange, held: Held, peer: Peer, house: House) -> Outcome:
        """Give an answer when it is to be given; raises GoneError when its peer leaves."""
        with place_of(self._app.extensions[HELD]) as is_free:
            if not is_free:
                return await self._run(exchange.inside, exchange.give, held, NOT_HELD)
            gone = asyncio.create_task(peer.wait_until_gone())
            closing = asyncio.create_task(house.is_closing.wait())
            self._held += 1
            try:
                ends = {gone, closing}
                outcome: Outcome | None = await self._look_until(exchange, held, ends)
            finally:
                self._held -= 1
                closing.cancel()
                has_left = gone.done()
                gone.cancel()
            if has_left:
                raise GoneError
        if outcome is not None:
            return outcome
        return await self._run(exchange.inside, exchange.give, held, held.wait)

    async def _look_until(
        self, exchange: Exchange, held: Held, ends: set[asyncio.Task[Any]]
    ) -> Outcome | None:
        """Give what was waited for; None when the wait is over, or something else has ended."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        listener: Listener = self._app.extensions[LISTENER]
        began_at = time.monotonic()

        def wake() -> None:
            loop.call_soon_threadsafe(moved.set)

        with listener.calling(held.what, wake):
            while not any(end.done() for end in ends):
                # Before the look: what is told during it is looked at once more.
                moved.clear()
                outcome: Outcome | None = await self._run(exchange.inside, exchange.look, held)
                waited = time.monotonic() - began_at
                if outcome is not None or waited >= held.wait.seconds:
                    return outcome
                pause = pause_s(waited, listener.hears, self._held)
                word = asyncio.create_task(moved.wait())
                try:
                    timeout = min(pause, held.wait.seconds - waited)
                    await asyncio.wait(
                        {word, *ends}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    word.cancel()
        return None

    async def _send(self, exchange: Exchange, answer: Answer, peer: Peer, house: House) -> None:
        await peer.begin(answer.status, answer.headers)
        if answer.whole is None:
            await self._send_chunks(exchange, answer, peer)
        if answer.live is not None:
            await self._streaming.serve(answer.live, peer, house)
        await peer.end(answer.whole or b"")

    async def _send_chunks(self, exchange: Exchange, answer: Answer, peer: Peer) -> None:
        while True:
            try:
                chunk = await self._run(
                    exchange.inside, _gathered, answer.chunks, pool=self._streams
                )
            except Exception as err:
                log.error("answer_failed", error=type(err).__name__, exc_info=err)
                peer.cut()
                raise GoneError from err
            if not chunk:
                return
            await peer.send(chunk)

    async def _run(
        self,
        step: Callable[..., Result],
        *arguments: Any,
        pool: ThreadPoolExecutor | None = None,
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(
            pool or self._pool, step, *arguments
        )


def _gathered(chunks: Iterator[bytes]) -> bytes:
    """Take as many chunks as are worth a turn in a thread; none at the end."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= SENT:
            break
    return bytes(gathered)


def _end_with_parent() -> None:
    """Ask Linux to end this process when its supervisor is killed, so that none is left behind."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        # It was killed while this process began.
        os._exit(1)


def _refusal_of(scope: Any) -> tuple[int, str, str] | None:
    """Say what is wrong with a head that no route should see."""
    length = len(scope["raw_path"]) + len(scope["query_string"])
    if length > LONGEST_TARGET:
        text = f"The URL has {length:,} characters; at most {LONGEST_TARGET:,} may be."
        return 414, "url_too_long", text
    if len(scope["headers"]) > MOST_HEADERS:
        text = f"The request has {len(scope['headers'])} headers; at most {MOST_HEADERS} may be."
        return 431, "headers_too_large", text
    return None


async def _send_whole(peer: Peer, status: int, code: str, text: str) -> None:
    request_id = new_request_id()
    content = json.dumps(problem_body(status, code, text, request_id=request_id)).encode()
    headers = [
        ("Content-Type", MEDIA_TYPE),
        ("Content-Length", str(len(content))),
        (HEADER, request_id),
    ]
    await peer.begin(status, headers)
    await peer.end(content)
