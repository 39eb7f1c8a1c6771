"""HTTP/1.1 on our own sockets, and the connections that wait between two requests."""

import threading
from collections.abc import Iterator, Sequence
from ssl import SSLContext

import h11

from workers.egress.messages import Answer, Outgoing
from workers.egress.sockets import CappedSocket, Deadline, Endpoint, open_socket

KEEP_ALIVE_S = 15.0
MAX_IDLE = 64
MAX_HEAD_BYTES = 64 * 1024  # status line and headers, or one chunk's line


class Connection:
    """One HTTP/1.1 connection; one thread at a time uses it."""

    def __init__(self, endpoint: Endpoint, sock: CappedSocket) -> None:
        self.endpoint = endpoint
        self._sock = sock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._kept_until = Deadline.after(KEEP_ALIVE_S)

    def exchange(self, outgoing: Outgoing, deadline: Deadline, budget: int) -> Answer:
        """Send the request and read the head of the answer; its body comes through `chunks`.

        Raises:
            TimeoutError, OSError, h11.RemoteProtocolError, EgressError: it did not come.

        """
        self._sock.begin(deadline, budget)
        parts = (outgoing.head, h11.Data(data=outgoing.body), h11.EndOfMessage())
        request = b"".join(self._http.send(part) or b"" for part in parts)
        try:
            self._sock.write(request)
        except TimeoutError:
            raise
        except OSError:
            pass  # a server may refuse early and hang up; its answer may be there to read
        head = self._event()
        while not isinstance(head, h11.Response):  # 1xx; the byte budget ends an endless row
            head = self._event()
        return Answer.of(head, self._body())

    def keep(self) -> bool:
        """Make ready for another request; False if this connection cannot serve one."""
        both = (self._http.our_state, self._http.their_state)
        # Bytes after the answer could be the forged answer to somebody else's next request.
        surplus, _ = self._http.trailing_data
        if both != (h11.DONE, h11.DONE) or surplus or self._sock.is_readable():
            return False
        self._http.start_next_cycle()
        self._kept_until = Deadline.after(KEEP_ALIVE_S)
        return True

    def is_alive(self) -> bool:
        """Tell whether a kept connection is young, and the server has not hung up."""
        return not self._kept_until.is_over() and not self._sock.is_readable()

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _body(self) -> Iterator[bytes]:
        while isinstance(event := self._event(), h11.Data):
            yield bytes(event.data)

    def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                # mypy does not narrow by the identity of a class
                return event  # type: ignore[return-value]
            self._http.receive_data(self._sock.read())


class IdleConnections:
    """Connections between two requests; the ones used longest ago are dropped first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    def take(self, endpoints: Sequence[Endpoint]) -> Connection | None:
        """Give one that leads to any of the endpoints, or None."""
        with self._lock:
            for connection in [one for one in reversed(self._idle) if one.endpoint in endpoints]:
                self._idle.remove(connection)
                if connection.is_alive():
                    return connection
                connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Take a connection back, or hang up if it cannot serve again."""
        with self._lock:
            if self._closed or not connection.keep():
                connection.close()
                return
            self._idle.append(connection)
            if len(self._idle) > MAX_IDLE:
                self._idle.pop(0).close()

    def close(self) -> None:
        """Hang up all, and from now on each one that is given back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()


def dial(endpoint: Endpoint, tls: SSLContext, deadline: Deadline) -> Connection:
    """Open a connection to the endpoint.

    Raises:
        TimeoutError, OSError: as the socket says; `ssl.SSLCertVerificationError` among them.

    """
    return Connection(endpoint, CappedSocket(open_socket(endpoint, tls, deadline)))
