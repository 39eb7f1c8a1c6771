"""What cannot be begun leaves no file open: a worker lives for months."""

import io
import os
from typing import Any, NoReturn

import pytest

from models.records.record import Limits
from workers.walls.arena import Arena
from workers.walls.films import FilmDecoders
from workers.walls.pictures import Asked, Packed, PictureDecoders
from workers.walls.processes import ProcessDied


class NoServer:
    """A fork server that has no process to give."""

    def fork(self, *_: object) -> NoReturn:
        raise ProcessDied


SERVER: Any = NoServer()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_memory_that_cannot_be_had_is_let_go() -> None:
    before = open_files()
    with pytest.raises(OSError):
        Arena.create("endless", 2**62)
    assert open_files() == before


def test_a_picture_without_a_process_leaves_nothing_open() -> None:
    before = open_files()
    with pytest.raises(ProcessDied):
        list(PictureDecoders(SERVER, 1).decode([Packed(b"", "raw", 0)], Asked(3, Limits())))
    assert open_files() == before


def test_a_film_without_a_process_or_a_file_leaves_nothing_open() -> None:
    before = open_files()
    closed = io.BytesIO()
    closed.close()
    for file, error in ((io.BytesIO(), Exception), (closed, ValueError)):
        with pytest.raises(error):
            FilmDecoders(SERVER, 1).open(file, 1, Limits())
    assert open_files() == before
