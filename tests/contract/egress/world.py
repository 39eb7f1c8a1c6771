"""Servers of raw bytes on 127.0.0.0/8, most of which mean ill, and guards that call them."""

import socket
import threading
import time
from contextlib import suppress
from ipaddress import ip_network

import pytest

from workers.egress import Egress, EgressError, EgressPolicy

LOOPBACK = (ip_network("127.0.0.0/8"),)
SLOW = 20.0  # seconds; an exchange that takes as long as this was not cut short
PACE = 0.02  # seconds between the bytes of a server that drips
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server of raw bytes: `behave(self, sock)` answers each request; False hangs up."""

    def __init__(self, behave, *, host="127.0.0.1", port=0, tls=None):
        self._behave, self._tls = behave, tls
        self.requests, self.hosts_asked = [], []
        self.connections = 0
        self._last = {}
        self.stop = threading.Event()
        self._socks, self._threads, self._lock = [], [], threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port = self._listener.getsockname()[1]
        if tls:
            tls.sni_callback = lambda _sock, name, _context: self.hosts_asked.append(name)
        self._start(self._accept)

    def close(self):
        self.stop.set()
        with self._lock:
            open_ones = [self._listener, *self._socks]
        for sock in open_ones:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        for sock in [self._listener, *self._socks]:
            sock.close()

    def last(self, sock):
        """Give the request that came last on this connection."""
        return self._last[sock]

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with self._lock:
                    self._socks.append(sock)
                    self.connections += 1
                self._start(self._serve, sock)

    def _serve(self, sock):
        with suppress(OSError, ValueError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            while request := read_request(sock):
                with self._lock:
                    self.requests.append(request)
                    self._last[sock] = request
                if self._behave(self, sock) is False:
                    break
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def read_request(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(headers_of(head).get("content-length", 0))
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def headers_of(request):
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def answer(body=b"image", *, status="200 OK", extra=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra, "", ""]
    return "\r\n".join(lines).encode() + body


def always(data, *, then=None):
    def behave(server, sock):
        sock.sendall(data)
        return then

    return behave


def forever(start, piece, *, pace=None):
    """Send `start`, then `piece` again and again, until the client hangs up."""

    def behave(server, sock):
        sock.sendall(start)
        while not server.stop.wait(pace or 0):
            sock.sendall(piece)
        return False

    return behave


def silent(server, sock):
    server.stop.wait(SLOW)
    return False


class World:
    def __init__(self, stack):
        self._stack = stack

    def server(self, behave, **options):
        server = Server(behave, **options)
        self._stack.callback(server.close)
        return server

    def egress(self, resolve=None, **policy):
        policy = {"allow_networks": LOOPBACK, "total_timeout_s": SLOW, **policy}
        egress = Egress(EgressPolicy(**policy), resolve=resolve or names("127.0.0.1"))
        self._stack.callback(egress.close)
        return egress


def names(*addresses):
    def resolve(host, port, family, kind):
        return [(0, kind, 6, "", (address, port)) for address in addresses]

    return resolve


def failure(call, *args):
    start = time.monotonic()
    with pytest.raises(EgressError) as caught:
        call(*args)
    assert time.monotonic() - start < SLOW, "the exchange was not cut short"
    return caught.value
