"""A relay of bytes before a server, which cuts connections off while they bring much."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BLOCK = 65536


class Relay:
    """Passes connections on to `port`; cuts one off after so many bytes, for each of `cuts`.

    `brought` is how many bytes of requests it has passed on.
    """

    def __init__(self, port: int, cuts: list[int]) -> None:
        self.port, self.cuts = port, cuts
        self.made, self.brought = 0, 0
        self.reached = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []

    def wait_for(self, brought: int, timeout: float = 60) -> None:
        with self.reached:
            assert self.reached.wait_for(lambda: self.brought >= brought, timeout)

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._connect, peer)

    def close(self) -> None:
        # A thread that waits in accept() does not hear of a mere close().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _connect(self, peer: socket.socket) -> None:
        with peer:
            try:
                behind = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            with behind:
                self._start(_pass_on, behind, peer)
                self._bring(peer, behind)

    def _bring(self, peer: socket.socket, behind: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while block := peer.recv(_BLOCK):
                behind.sendall(block)
                passed += len(block)
                with self.reached:
                    self.brought += len(block)
                    self.reached.notify_all()
                    if self.cuts and passed >= self.cuts[0]:
                        self.made += 1
                        self.cuts.pop(0)
                        break
        with suppress(OSError):
            behind.shutdown(socket.SHUT_RDWR)
        # Closing it resets it: its peer may be in the middle of sending, and is to hear of the end.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _start(self, run, *arguments) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)


@contextmanager
def relay_before(port: int, cuts: list[int]) -> Iterator[Relay]:
    relay = Relay(port, cuts)
    thread = threading.Thread(target=relay.serve)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join()


def _pass_on(behind: socket.socket, peer: socket.socket) -> None:
    with suppress(OSError):
        while block := behind.recv(_BLOCK):
            peer.sendall(block)
    with suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
