"""The name of a launcher, under which its processes hold leases.

No two that live have the same one, also where containers share a host's name: half of it is drawn
at random. It lies in a locked file, so that who comes after a dead launcher has its name, and takes
back at once what that one's processes held. Who cannot have the file draws a name of its own; what
the dead one held then waits until its leases run out.
"""

import fcntl
import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TextIO

import structlog

log = structlog.get_logger(__name__)

_LENGTH = 8


@contextmanager
def held_name(database_url: str, folder: Path | None = None) -> Iterator[str]:
    """Give a launcher's name, such as `host-1f0c9a2e`, which is nobody else's while the block runs.

    Launchers that work on other databases come after other ones. `folder` is where the files lie:
    one of this user's on this machine unless given.
    """
    host = socket.gethostname()
    try:
        file = _lock_first(folder or _own_folder(), host, database_url)
    except OSError as err:
        log.warning("launcher_has_no_lasting_name", error=str(err))
        yield f"{host}-{secrets.token_hex(_LENGTH // 2)}"
        return
    # The lock goes with the process, however it ends.
    with file:
        yield f"{host}-{_read_or_draw(file)}"


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"pixelmill-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _lock_first(folder: Path, host: str, database_url: str) -> TextIO:
    """Open the first file that no living launcher holds."""
    whose = hashlib.sha256(f"{host} {database_url}".encode()).hexdigest()[:16]
    for number in count():
        file = (folder / f"launcher-{whose}-{number}").open("a+")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        file.close()
    raise AssertionError("counting has no end")


def _read_or_draw(file: TextIO) -> str:
    file.seek(0)
    drawn = file.read(_LENGTH)
    if len(drawn) == _LENGTH and drawn.isalnum():
        return drawn
    drawn = secrets.token_hex(_LENGTH // 2)
    with suppress(OSError):  # a full disk: whoever comes after draws again
        file.truncate(0)
        file.write(drawn)
        file.flush()
    return drawn
