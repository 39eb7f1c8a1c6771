"""Files that appear whole or not at all, and replace nothing but files."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pixelmill.wire.errors import InvalidInput


@contextmanager
def new_file(output: Path) -> Iterator[BinaryIO]:
    """Give a file that appears under its name only when all of it is written.

    A device, FIFO or socket of that name is written to as it is, and stays; so does a link, whose
    file is replaced. Raises InvalidInput when it cannot be written.
    """
    if not output.name:
        raise InvalidInput(f"{str(output)!r} names no file to write; give a file's name.")
    try:
        if output.exists() and not output.is_file():
            with output.open("wb") as file:
                yield file
        else:
            with _replacing(output.resolve()) as file:
                yield file
    except BrokenPipeError:
        # Whoever reads a FIFO has what it wanted, as with stdout.
        raise
    except OSError as err:
        raise InvalidInput(f"{output} cannot be written: {err.strerror or err}.") from err


@contextmanager
def _replacing(output: Path) -> Iterator[BinaryIO]:
    part = output.with_name(f".pixelmill-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
        os.replace(part, output)
    finally:
        part.unlink(missing_ok=True)
