"""Messages between a worker and a decoder process: JSON over a socket that keeps their bounds.

Large things never travel here: pixels and files lie in shared memory. A message of the other side
is a stranger's: `receive` gives plain JSON, and whoever asked holds it to what was asked.
"""

import array
import socket
from collections.abc import Sequence
from typing import Any

import orjson

# Of one message; the kernel takes about twice as much.
MOST_BYTES = 96 * 1024
_MOST_FDS = 4


class Closed(Exception):
    """The other side is gone."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Make the two ends of a connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: object, fds: Sequence[int] = ()) -> None:
    """Send a message, with open files; raises Closed."""
    data = message if isinstance(message, bytes) else orjson.dumps(message)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        to.sendmsg([data], rights, socket.MSG_NOSIGNAL)
    except (BrokenPipeError, ConnectionResetError) as err:
        raise Closed from err


def receive(source: socket.socket) -> Any:
    """Wait for a message; raises Closed, and ValueError for what is no JSON."""
    return orjson.loads(receive_bytes(source))


def receive_bytes(source: socket.socket) -> bytes:
    """Wait for a message and give it as it came; raises Closed."""
    try:
        data = source.recv(MOST_BYTES)
    except ConnectionResetError as err:
        raise Closed from err
    if not data:
        raise Closed
    return data


def receive_with_fds(source: socket.socket) -> tuple[Any, list[int]]:
    """Wait for a message that may bring open files; raises Closed."""
    try:
        data, fds, _, _ = socket.recv_fds(source, MOST_BYTES, _MOST_FDS)
    except ConnectionResetError as err:
        raise Closed from err
    if not data:
        raise Closed
    return orjson.loads(data), fds
