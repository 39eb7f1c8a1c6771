"""The data folder of a stack: where its database and blobs are, and that only one stack runs."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelmill.wire.connection import DEFAULT_DATA
from pixelmill.wire.errors import NotConfigured

DATABASE = "pixelmill.db"


class StackError(RuntimeError):
    """The stack cannot be started; the message is one line for the person at the terminal."""


def places_of(data: Path) -> dict[str, str]:
    """Give the settings that name a data folder's database and blobs."""
    # Here and not above: its import would slow down every command.
    from sqlalchemy import URL

    # Both quote what has a meaning in a URL, such as `?` and `%`.
    url = URL.create("sqlite", database=str(data / DATABASE))
    return {
        "PIXELMILL_DATABASE_URL": url.render_as_string(),
        "PIXELMILL_STORAGE_URL": (data / "blobs").as_uri(),
    }


def operators_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the environment of an operator's command: as it is, or that of the local stack.

    Raises NotConfigured when it names no database, and no stack has ever run in the folder.
    """
    if environ.get("PIXELMILL_DATABASE_URL"):
        return dict(environ)
    data = Path(environ.get("PIXELMILL_DATA") or DEFAULT_DATA).resolve()
    if not (data / DATABASE).exists():
        raise NotConfigured(
            f"no stack has run in {data} (PIXELMILL_DATA) yet: start one with `pixelmill up`, or "
            "set PIXELMILL_DATABASE_URL and PIXELMILL_STORAGE_URL to those of an installation."
        )
    return {**places_of(data), **environ}


def private_folder(data: Path) -> Path:
    """Give the folder for what lives as long as a stack; raises StackError."""
    run = data / "run"
    try:
        run.mkdir(parents=True, exist_ok=True)
        run.chmod(0o700)
        _close_to_others(data)
        (run / "workers.json").unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=data):
            return run
    except OSError as err:
        raise StackError(f"Cannot write to {data}: {err.strerror}. Name another --data.") from err


def _close_to_others(data: Path) -> None:
    """Take from other users what a version that did not mind has made readable."""
    for path in data.glob("pixelmill.db*"):
        path.chmod(0o600)
    if (blobs := data / "blobs").is_dir():
        blobs.chmod(0o700)


def lock_folder(data: Path) -> Any:
    """Give the open file that keeps a second stack away; raises StackError."""
    lock = (data / "run" / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        raise StackError(f"Another stack runs on {data}. Stop it, or name another --data.") from err
    return lock


def listen(port: int) -> socket.socket:
    """Give the socket that the API is to listen on; raises StackError."""
    # Bound here and handed to the API, so that callers only wait while the API is restarted.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as err:
        raise StackError(
            f"Port {port} cannot be used: {err.strerror}. Name another --port, or 0 for any."
        ) from err
    return listener
