"""A server of handwritten digits in a process of its own, on several hosts of 127.0.0.0/8.

`/17` is the 17th digit, and from the beginning again after the last. Of a hundred numbers one is
not there (404), and one is refused at first (429, to be asked again after a second). `/counts`
tells how many requests were under way at once at each host, and how many there were.
"""

import asyncio
import json
import sys
from collections import Counter

from models.pictures.data import encode, heldout_digits

MISSING, THROTTLED = 13, 57
HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
# As long as a server near by takes, so that requests meet each other.
_WORK_S = 0.005


class Digits:
    """Answers requests, and counts them by host."""

    def __init__(self) -> None:
        images, _ = heldout_digits()
        self._files = [encode(image, ".png") for image in images]
        self._now: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._asked = 0
        # What was refused once; a number in it takes a bit, whatever the job's size.
        self._refused = bytearray(2_000_000)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode().strip("/")
                writer.write(self._counts() if path == "counts" else await self._digit(host, path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _digit(self, host: str, path: str) -> bytes:
        self._asked += 1
        self._now[host] += 1
        self._most[host] = max(self._most[host], self._now[host])
        await asyncio.sleep(_WORK_S)
        self._now[host] -= 1
        number = int(path)
        if number % 100 == MISSING:
            return _answer("404 Not Found", b"")
        if number % 100 == THROTTLED and not self._refused[number]:
            self._refused[number] = 1
            return _answer("429 Too Many Requests", b"", "Retry-After: 1\r\n")
        return _answer("200 OK", self._files[number % len(self._files)])

    def _counts(self) -> bytes:
        return _answer("200 OK", json.dumps({"most": self._most, "asked": self._asked}).encode())


def _answer(status: str, body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def _main() -> None:
    digits = Digits()
    first = await asyncio.start_server(digits.serve, HOSTS[0], 0, backlog=512)
    port = first.sockets[0].getsockname()[1]
    for host in HOSTS[1:]:
        await asyncio.start_server(digits.serve, host, port, backlog=512)
    print(port, flush=True)
    await first.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
    sys.exit()
