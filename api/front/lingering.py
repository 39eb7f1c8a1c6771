"""A connection's end that loses nothing of the last answer.

Whoever closes a socket on which bytes still come resets it, and the peer may lose the answer that
it has not read yet. So `close` ends our own direction only, drops what still comes, and goes on to
the real end when the peer ends its own, or after a moment (RFC 9112, 9.6).
"""

import asyncio
from typing import Any

from api.front.limits import LINGER_S


class LingeringTransport(asyncio.Transport):
    """A transport whose `close` lingers; the protocol drops what comes while `is_closing`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._is_closing = False
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End our direction, and all once the peer has ended its own."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._transport.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._unsent = self._transport.get_write_buffer_size()
        self._look_later()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._look)

    def _look(self) -> None:
        unsent = self._transport.get_write_buffer_size()
        # Somebody slow still takes what was said.
        if 0 < unsent < self._unsent:
            self._unsent = unsent
            self._look_later()
        else:
            self._transport.abort()

    def abort(self) -> None:
        """End at once, whatever was not sent yet."""
        self._is_closing = True
        self._transport.abort()

    def forget(self) -> None:
        """Hear that the connection is gone."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()

    def is_closing(self) -> bool:
        """Say whether the connection has been ended here."""
        return self._is_closing or self._transport.is_closing()

    def write(self, data: Any) -> None:
        """Send bytes."""
        if not self._is_closing:
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        if not self._is_closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more from the peer."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell of the socket."""
        return self._transport.get_extra_info(name, default)
