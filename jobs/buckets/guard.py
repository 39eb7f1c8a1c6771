"""The way out to object stores: a proxy on loopback that lets through what may be called, no more.

    obstore ─► Guard: known token? host of that store? ─► one lookup, every address checked
            ─► a connection to exactly that address ─► CONNECT: bytes both ways, TLS is obstore's
                                                       GET, HEAD: one exchange in plain HTTP,
                                                       and PUT for who was admitted to write

A store's client resolves names by itself, follows redirects and looks for credentials at addresses
of its own. So each has a proxy to speak through, and this one knows each by a token that is in
nobody's hands but its own: a redirect to another host ends here, whoever sends it. The addresses
are judged as those of URLs are (jobs.inputs.addresses), with networks of the operator's for stores.
"""

import asyncio
import base64
import secrets
import threading
from collections.abc import Awaitable
from ipaddress import ip_address

from jobs.inputs.addresses import Address, Network, UrlNotAllowed, check_url, is_allowed

Host = tuple[str, int]

_TLS_PORTS = frozenset({443})
_READING = frozenset({"GET", "HEAD"})
_WRITING = _READING | {"PUT"}
_HEAD_BYTES = 64 * 1024
_PIECE = 256 * 1024
_CONNECT_S, _HEAD_S, _IDLE_S = 10.0, 60.0, 120.0
# Bytes of one object that is written: parts of results are smaller (jobs.outputs.parts).
_MOST_WRITTEN = 256 * 1024 * 1024
_DROPPED = (b"proxy-", b"connection:", b"keep-alive:")


class _Refused(Exception):
    """The request may not go out."""


class Guard:
    """A proxy for this process's own stores, in a thread of its own; `close` ends it.

    A store that neither takes nor sends a byte for `idle_s` is given up.
    """

    def __init__(self, networks: tuple[Network, ...], idle_s: float = _IDLE_S) -> None:
        self._networks = networks
        self._idle_s = idle_s
        self._hosts: dict[str, frozenset[Host]] = {}
        self._refused: set[str] = set()
        # The tokens of those who may write.
        self._writers: set[str] = set()
        # And by which token each is let out, once it has said so.
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="guard", daemon=True)
        self._thread.start()

    def admit(self, hosts: frozenset[Host], *, writes: bool = False) -> str:
        """Give the URL of a proxy that calls these hosts alone, and none at a forbidden address.

        What TLS hides is the credentials' affair: over it the guard sees hosts and no methods.
        """
        token = secrets.token_urlsafe(24)
        self._hosts[token] = hosts
        if writes:
            self._writers.add(token)
        return f"http://store:{token}@127.0.0.1:{self._port}"

    def has_refused(self, proxy_url: str) -> bool:
        """Whether something that was asked for by a URL was not let out, since this was asked."""
        token = _token_in(proxy_url)
        has_refused = token in self._refused
        self._refused.discard(token)
        return has_refused

    def dismiss(self, proxy_url: str) -> None:
        """Let nobody through by a URL any more; what is on its way may come to its end."""
        self._hosts.pop(_token_in(proxy_url), None)
        self._writers.discard(_token_in(proxy_url))

    def cut_off(self, proxy_url: str) -> None:
        """Let nobody through by a URL any more, and end what is on its way."""
        self.dismiss(proxy_url)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._break_off, _token_in(proxy_url))

    def close(self) -> None:
        """End every connection and the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _break_off(self, token: str) -> None:
        for task in [task for task, of in self._tasks.items() if of == token]:
            task.cancel()

    async def _end(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = ""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_S)
            await self._forward(task, head, reader, writer)
        except _Refused:
            writer.write(b"HTTP/1.1 403 Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        except TimeoutError:
            writer.write(b"HTTP/1.1 504 Late\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        except (OSError, EOFError, asyncio.LimitOverrunError):
            writer.write(b"HTTP/1.1 502 Broken\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        except asyncio.CancelledError:
            pass
        finally:
            del self._tasks[task]
            writer.close()

    async def _forward(
        self,
        task: asyncio.Task[None],
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        line, *fields = head[:-4].split(b"\r\n")
        token = self._tasks[task] = _token_of(fields)
        hosts = self._hosts.get(token)
        if hosts is None:
            raise _Refused
        try:
            methods = _WRITING if token in self._writers else _READING
            await self._let_out(line, fields, hosts, methods, reader, writer)
        except _Refused:
            self._refused.add(token)
            raise

    async def _let_out(
        self,
        line: bytes,
        fields: list[bytes],
        hosts: frozenset[Host],
        methods: frozenset[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        method, target, _ = line.decode("ascii", "replace").split(" ", 2)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            out = await self._dial((host.strip("[]").lower(), int(port)), hosts, is_plain=False)
            await _tunnel(out, reader, writer, self._idle_s)
            return
        if method not in methods:
            raise _Refused
        length = _length_of(fields)
        try:
            url = check_url(target, allow_networks=self._networks)
        except UrlNotAllowed as err:
            raise _Refused from err
        if url.scheme != "http":
            raise _Refused
        out = await self._dial((url.hostname, url.port), hosts, is_plain=True)
        request = f"{method} {url.target} HTTP/1.1".encode()
        kept = [each for each in fields if not each.lower().startswith(_DROPPED)]
        asked = b"\r\n".join((request, *kept, b"connection: close", b"", b""))
        await _exchange(out, asked, (reader, length), writer, self._idle_s)

    async def _dial(
        self, host: Host, hosts: frozenset[Host], *, is_plain: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if host not in hosts:
            raise _Refused
        found = await asyncio.wait_for(self._addresses(host), _CONNECT_S)
        for ip in found:
            # One bad answer condemns the name, and plain HTTP is for the operator's networks.
            ports = frozenset[int]() if is_plain else _TLS_PORTS
            if not is_allowed(ip, host[1], allow_networks=self._networks, ports=ports):
                raise _Refused
        failure: OSError | None = None
        for ip in found:
            try:
                dialled = asyncio.open_connection(str(ip), host[1], limit=_PIECE)
                return await asyncio.wait_for(dialled, _CONNECT_S)
            except OSError as err:  # a TimeoutError is one too
                failure = err
        raise failure or OSError("no address to dial")

    async def _addresses(self, host: Host) -> list[Address]:
        answers = await self._loop.getaddrinfo(*host, proto=6)
        return list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))


def _token_in(proxy_url: str) -> str:
    return proxy_url.partition("//store:")[2].partition("@")[0]


def _token_of(fields: list[bytes]) -> str:
    for each in fields:
        name, _, value = each.partition(b":")
        if name.strip().lower() == b"proxy-authorization":
            try:
                said = base64.b64decode(value.strip().partition(b" ")[2])
            except ValueError:
                return ""
            return said.partition(b":")[2].decode("ascii", "replace")
    return ""


def _length_of(fields: list[bytes]) -> int:
    """Give how long a request's body is: no longer than is said, and never without saying."""
    said = [each.partition(b":") for each in fields]
    named = [(name.strip().lower(), value.strip()) for name, _, value in said]
    lengths = [value for name, value in named if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in named) or len(lengths) > 1:
        raise _Refused
    length = lengths[0] if lengths else b"0"
    if not length.isdigit() or int(length) > _MOST_WRITTEN:
        raise _Refused
    return int(length)


async def _tunnel(
    out: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    idle_s: float,
) -> None:
    try:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        # Who downloads has nothing to say meanwhile.
        await _first_of(_upload(reader, out[1], idle_s), _download(out[0], writer, idle_s))
    finally:
        _hang_up(out[1])


async def _exchange(
    out: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    request: bytes,
    body: tuple[asyncio.StreamReader, int],
    writer: asyncio.StreamWriter,
    idle_s: float,
) -> None:
    """Send one request, and give back the one answer to it, with the end of its connection."""
    try:
        out[1].write(request)
        await _send(*body, out[1], idle_s)
        head = await asyncio.wait_for(out[0].readuntil(b"\r\n\r\n"), idle_s)
        kept = [each for each in head[:-4].split(b"\r\n") if not each.lower().startswith(_DROPPED)]
        writer.write(b"\r\n".join((*kept, b"connection: close", b"", b"")))
        await _download(out[0], writer, idle_s)
    finally:
        _hang_up(out[1])


async def _send(
    reader: asyncio.StreamReader, length: int, writer: asyncio.StreamWriter, idle_s: float
) -> None:
    while length:
        piece = await asyncio.wait_for(reader.read(min(length, _PIECE)), idle_s)
        if not piece:
            raise EOFError
        length -= len(piece)
        try:
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), idle_s)
        except ConnectionError:
            # Whoever refuses a body may say so before all of it is there.
            return
    await asyncio.wait_for(writer.drain(), idle_s)


async def _upload(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float
) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await asyncio.wait_for(writer.drain(), idle_s)


async def _download(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float
) -> None:
    while piece := await asyncio.wait_for(reader.read(_PIECE), idle_s):
        writer.write(piece)
        # Our own process reads, as fast as it can use what comes; it hangs up when it is done.
        await writer.drain()


def _hang_up(writer: asyncio.StreamWriter) -> None:
    """End a connection to a store, with whatever it would not take."""
    writer.transport.abort()


async def _first_of(*works: Awaitable[None]) -> None:
    """Wait for one of two ways to end; the other one then ends as well."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
