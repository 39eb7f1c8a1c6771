"""A socket to exactly one address, under one deadline and one byte budget."""

import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Self

from jobs.inputs.addresses import Address, CheckedUrl
from workers.egress.policy import EgressError, GivenUp

_READ_BYTES = 64 * 1024
_WRITE_BYTES = 16 * 1024  # offered to the kernel at a time
_LOOK_S = 0.5  # who waits for a silent server looks so often whether the answer is still wanted


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock, in seconds; all is over before it once `stopped` is set."""

    at: float
    stopped: threading.Event | None = None

    @classmethod
    def after(cls, seconds: float, stopped: threading.Event | None = None) -> Self:
        """Give the moment that many seconds from now."""
        return cls(time.monotonic() + seconds, stopped)

    def is_over(self) -> bool:
        """Tell whether it has passed."""
        return time.monotonic() >= self.at

    def left(self) -> float:
        """Give the seconds that are left.

        Raises:
            TimeoutError: none is.
            GivenUp: the answer is not wanted any more.

        """
        if self.stopped is not None and self.stopped.is_set():
            raise GivenUp
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this exchange is over")
        return left


@dataclass(frozen=True)
class Endpoint:
    """Where a connection leads. Two requests share one only if all four are the same."""

    scheme: str
    host: str
    port: int
    address: Address

    @classmethod
    def of(cls, url: CheckedUrl, address: Address) -> Self:
        """Give the endpoint of a URL at one of its checked addresses."""
        return cls(url.scheme, url.hostname, url.port, address)


class CappedSocket:
    """A connected socket whose deadline and byte budget span a whole exchange.

    A timeout of the socket alone starts anew with each byte, and a server that lets out one
    byte a second would hold a thread for ever.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = Deadline(0.0)
        self._budget = 0

    def begin(self, deadline: Deadline, budget: int) -> None:
        """Start an exchange that may read `budget` bytes, heads and framing included."""
        self._deadline = deadline
        self._budget = budget

    def read(self) -> bytes:
        """Read what is there, or b"" at the end.

        Raises:
            TimeoutError, OSError: as the socket says.
            EgressError: the budget is spent.
            GivenUp: the answer is not wanted any more.

        """
        data = self._received()
        self._budget -= len(data)
        if self._budget < 0:
            # Endless 1xx answers, chunk extensions, trailers: bytes that never become a body.
            raise EgressError(
                "The server sent more bytes than the largest body can take; give a smaller file.",
                code="url_too_large",
                retryable=False,
            )
        return data

    def _received(self) -> bytes:
        while True:
            self._sock.settimeout(min(self._deadline.left(), _LOOK_S))
            try:
                return self._sock.recv(_READ_BYTES)
            except TimeoutError:
                continue  # the deadline says whether to go on

    def write(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            TimeoutError, OSError: as the socket says.

        """
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._deadline.left())
            rest = rest[self._sock.send(rest[:_WRITE_BYTES]) :]

    def is_readable(self) -> bool:
        """Tell whether bytes or an end wait in it: between two requests, both mean a farewell."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


def open_socket(endpoint: Endpoint, tls: ssl.SSLContext, deadline: Deadline) -> socket.socket:
    """Connect to the endpoint's address; TLS asks for and verifies the endpoint's host.

    Raises:
        TimeoutError, OSError: as the socket says; `ssl.SSLCertVerificationError` among them.

    """
    family = socket.AF_INET if endpoint.address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.left())
        sock.connect((str(endpoint.address), endpoint.port))  # an address: nothing is looked up
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.scheme == "https":
            sock.settimeout(deadline.left())  # for the whole handshake
            sock = tls.wrap_socket(sock, server_hostname=endpoint.host)
    except BaseException:
        sock.close()
        raise
    return sock
