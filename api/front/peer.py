"""Reading a request's body from a peer and sending it the answer, each within its deadlines."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from werkzeug.exceptions import RequestTimeout

from api.front.connection import CONNECTION, Connection
from api.front.limits import BODY_S, DRAIN_S, DRAINED, GATHERED, LEAST_RATE, SEND_S, SENT
from jobs.metrics import metrics


class GoneError(Exception):
    """The peer has left, or was too slow to take its answer."""


class Peer:
    """Who asked; `length` is the announced length of the body in bytes, None where it is open."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self._connection: Connection = scope["extensions"][CONNECTION]
        headers = dict(scope["headers"])
        self.length: int | None = int(headers.get(b"content-length", b"0"))
        if b"transfer-encoding" in headers:
            self.length = None
        self._received = self._sent = 0
        self._has_more = self.length != 0
        # Such a peer sends nothing before it is asked to, which the first reading does.
        self._is_waiting = b"100-continue" in headers.get(b"expect", b"").lower()

    async def body(self) -> AsyncIterator[bytes]:
        """Read the body in pieces that are worth a thread; raises RequestTimeout and GoneError."""
        began_at, gathered = time.monotonic(), bytearray()
        while self._has_more:
            try:
                gathered += await self._read_in_time(began_at)
            except (GoneError, RequestTimeout):
                # An upload that resumes keeps what came before.
                if gathered:
                    yield bytes(gathered)
                raise
            if len(gathered) >= GATHERED:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)

    async def wait_until_gone(self) -> None:
        """Return when the peer leaves; a body that nobody wants is dropped meanwhile."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            self._has_more = message.get("more_body", False)

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the head of an answer; an unread body is read, or the connection told to end."""
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        if self._has_more and not await self._drain():
            encoded.append((b"connection", b"close"))
        await self._deliver({"type": "http.response.start", "status": status, "headers": encoded})

    async def send(self, chunk: bytes) -> None:
        """Send a part of an answer; raises GoneError."""
        view = memoryview(chunk)
        for start in range(0, len(view), SENT):
            body = bytes(view[start : start + SENT])
            await self._deliver({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, last: bytes = b"") -> None:
        """Send the last part of an answer, and its end; raises GoneError."""
        if len(last) > SENT:
            await self.send(last)
            last = b""
        await self._deliver({"type": "http.response.body", "body": last, "more_body": False})

    def count_bytes(self) -> None:
        """Count what has come and gone; once, when the request is over."""
        metrics.HTTP_BYTES.labels("in").inc(self._received)
        metrics.HTTP_BYTES.labels("out").inc(self._sent)

    def cut(self) -> None:
        """End the connection at once, so that nobody takes half an answer for a whole one."""
        self._connection.cut()

    async def _read_in_time(self, began_at: float) -> bytes:
        late_at = began_at + BODY_S + self._received / LEAST_RATE
        try:
            async with asyncio.timeout(min(BODY_S, late_at - time.monotonic())):
                return await self._read()
        except TimeoutError as err:
            raise RequestTimeout(
                f"The body stopped after {self._received:,} bytes, or came too slowly: it has "
                f"{BODY_S:.0f} s and {LEAST_RATE:,} bytes a second. Send it again; an upload that "
                "resumes has kept what came, and all else was dropped."
            ) from err

    async def _read(self) -> bytes:
        self._is_waiting = False
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        self._has_more = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._received += len(chunk)
        return chunk

    async def _drain(self) -> bool:
        """Read the rest of a body if it is short; says whether it is whole."""
        rest = None if self.length is None else self.length - self._received
        if self._is_waiting or rest is None or rest > DRAINED:
            return False
        try:
            async with asyncio.timeout(DRAIN_S):
                while self._has_more:
                    await self._read()
        except TimeoutError:
            return False
        return True

    async def _deliver(self, message: Any) -> None:
        if self._connection.is_gone:
            raise GoneError
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(message)
            self._sent += len(message.get("body", b""))
        except TimeoutError as err:
            self.cut()
            raise GoneError from err
