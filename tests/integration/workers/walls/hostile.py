"""A fork server whose picture decoders do what a picture tells them: crash, hang, burst, reach out.

What they tried comes back as the item's error message.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np

from jobs.archives import Member
from models.media.pictures import Picture, decode
from models.records.errors import InputError
from workers.walls import fork_server
from workers.walls.inside import archives, pictures


class Tried(InputError):
    code = "tried"


def crash() -> None:
    ctypes.string_at(0)


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def burst() -> None:
    held = [np.ones(2**24) for _ in range(1000)]
    raise AssertionError(len(held))


def read_environment() -> None:
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        raise Tried(f"read {file.read()[:100]!r}")


def own_environment() -> None:
    raise Tried(" ".join(sorted(os.environ)))


def modules() -> None:
    raise Tried(" ".join(sorted(name for name in sys.modules if "." not in name)))


def connect() -> None:
    socket.create_connection(("127.0.0.1", 9))
    raise Tried("connected")


def write_file() -> None:
    with open("/tmp/pixelmill-was-here", "w") as file:
        file.write("x")
    raise Tried("written")


def fork() -> None:
    raise Tried(f"forked {os.fork()}")


def run() -> None:
    raise Tried(f"ran {subprocess.run(['/bin/true']).returncode}")


def kill_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    raise Tried("killed")


def who() -> None:
    raise Tried(str(os.getpid()))


def lie() -> Picture:
    return Picture(np.zeros((8, 8, 1), np.uint8), 10**6, 10**6)


TRICKS = {each.__name__: each for each in list(globals().values()) if callable(each)}


def obey(data: bytes, channels: int, *more: Any) -> Picture:
    if not data.startswith(b"trick:"):
        return decode(data, channels, *more)
    try:
        given = TRICKS[data.removeprefix(b"trick:").decode()]()
        return given if isinstance(given, Picture) else Picture(np.zeros((1, 1, 1), np.uint8), 1, 1)
    except OSError as err:
        raise Tried(f"{type(err).__name__}: {err}") from err


def walk(kind: str, file: Any, limits: Any) -> list[Any]:
    name = file.read(64).removeprefix(b"trick:").decode()
    if name == "lie":
        return [Member("x", -1, 1, 1, "raw")]
    TRICKS[name]()
    return []


if __name__ == "__main__":
    pictures.decode = obey
    archives.walk = walk
    fork_server.main(sys.argv[1:])
