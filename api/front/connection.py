"""One connection: uvicorn's HTTP/1.1 with deadlines, problems for errors, and an end that lingers.

    made ─► head, within HEADER_S ─► request ─► answer ─► idle, within IDLE_S ─► head …
      └─────────┴── too slow, malformed, too long: a problem, then the end

What uvicorn leaves to a proxy in front of it is added here, since there may be none.
"""

import asyncio
import json
import socket
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.front.limits import HEADER_S, MOST_CONNECTIONS, UNSENT
from api.front.lingering import LingeringTransport
from api.web.logs import HEADER, new_request_id
from api.web.problems import MEDIA_TYPE, problem_body

log = structlog.get_logger(__name__)

# In the lifespan's state, and in a scope's extensions.
HOUSE, CONNECTION = "pixelmill.house", "pixelmill.wire.connection"

_CODES = {
    400: ("malformed_request", "The request is not HTTP/1.1 that can be read: {reason}."),
    408: ("request_timeout", "The headers of the request did not come within {seconds:.0f} s."),
    414: ("url_too_long", "The URL is too long; put what it says into the body."),
    431: ("headers_too_large", "The headers of the request are too long; send less of them."),
    501: ("not_implemented", "The request has a transfer coding other than `chunked`."),
}


@dataclass(slots=True)
class House:
    """What the connections of a process share."""

    is_closing: asyncio.Event = field(default_factory=asyncio.Event)
    # Those without a request, the one that has waited longest first.
    waiting: "dict[Connection, None]" = field(default_factory=dict)


class Connection(H11Protocol):
    """A peer, from its first byte to its last."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._front, self.app = self.app, self._begin
        self._house: House = self.app_state[HOUSE]
        self._deadline: asyncio.TimerHandle | None = None
        self._has_begun = False

    @property
    def is_gone(self) -> bool:
        """Whether nobody reads any more what is sent."""
        return self.cycle.disconnected or self.transport.is_closing()

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # its
        """Begin to wait for a request."""
        super().connection_made(LingeringTransport(transport))
        _hold_back_little(transport.get_extra_info("socket"))
        self._await_head()
        if len(self.connections) > MOST_CONNECTIONS and self._house.waiting:
            next(iter(self._house.waiting)).cut()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer."""
        self._disarm()
        self._house.waiting.pop(self, None)
        assert isinstance(self.transport, LingeringTransport)
        self.transport.forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that come after the end are dropped."""
        if self.transport.is_closing():
            return
        if not self._is_busy():
            self._has_begun = True
            if self._deadline is None:
                self._await_head()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for a further request."""
        self._has_begun = False
        self._house.waiting[self] = None
        super().on_response_complete()

    def shutdown(self) -> None:
        """Hear that the server stops: what is held is given now."""
        self._house.is_closing.set()
        if not self.transport.is_closing():
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Tell of a request that cannot be read, and end; `msg` is uvicorn's."""
        # uvicorn calls this while it handles what its parser has raised. What follows the colon
        # are the peer's own bytes, which may hold a key.
        err = sys.exc_info()[1]
        status = err.error_status_hint if isinstance(err, h11.RemoteProtocolError) else 400
        self._refuse(
            status if status in _CODES else 400, str(err or msg).partition(":")[0].rstrip(".")
        )

    async def _begin(self, scope: Any, receive: Any, send: Any) -> None:
        self._disarm()
        self._house.waiting.pop(self, None)
        scope.setdefault("extensions", {})[CONNECTION] = self
        await self._front(scope, receive, send)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._house.waiting[self] = None
        self._deadline = self.loop.call_later(HEADER_S, self._head_is_late)

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._is_busy():
            return
        if self._has_begun and not self.transport.is_closing():
            self._refuse(408, "")
        else:
            self.transport.close()

    def _refuse(self, status: int, reason: str) -> None:
        if self._is_busy() and self.cycle.response_started:
            self.cut()
            return
        if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE and self._is_in_first_line():
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        code, text = _CODES[status]
        request_id = new_request_id()
        detail = text.format(reason=reason, seconds=HEADER_S)
        body = problem_body(status, code, detail, request_id=request_id)
        log.info("request_unread", status=int(status), code=code, request_id=request_id)
        content = json.dumps(body).encode()
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(content))),
            (HEADER.lower(), request_id),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(
                status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()
            ),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        if self._is_busy():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _is_in_first_line(self) -> bool:
        unread, _ = self.conn.trailing_data
        return b"\n" not in unread

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _hold_back_little(peer: socket.socket) -> None:
    """Have the system take little of what a peer does not read: megabytes of it would be made."""
    if sys.platform == "linux" and peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
