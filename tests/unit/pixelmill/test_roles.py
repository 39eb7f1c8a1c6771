"""What the local stack prints of its roles."""

import io
import os
import sys

import pytest

from pixelmill.stack.log_lines import LogLines, say


class Pieces(io.StringIO):
    """A stream that remembers in which pieces it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_a_line_is_written_in_one_piece_so_that_no_other_role_speaks_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Pieces()
    monkeypatch.setattr(sys, "stdout", stream)
    say("api", "ready")
    say("worker-0", "ready")
    assert stream.pieces == ["       api | ready\n", "  worker-0 | ready\n"]


def read_all(fd: int) -> list[str]:
    with os.fdopen(fd) as file:
        return file.read().splitlines()


def pipe_to_stdout(monkeypatch: pytest.MonkeyPatch) -> tuple[int, io.TextIOWrapper]:
    """Make stdout a pipe, as in `pixelmill up | reader`; gives the reader's end of it first."""
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    return reader, stream


@pytest.mark.timeout(30)
def test_a_reader_who_does_not_read_holds_nobody_up_and_is_told_what_it_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, stream = pipe_to_stdout(monkeypatch)
    lines = LogLines()
    for number in range(20):
        lines.say("api", f"{number} " + "x" * 10_000)
    took = os.read(reader, 200_000)
    lines.say("api", "again")
    stream.close()
    said = read_all(reader)
    assert b"0 xxx" in took
    assert "lines were left out" in said[-2]
    assert said[-1] == "       api | again"


def test_a_reader_who_has_left_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, stream = pipe_to_stdout(monkeypatch)
    os.close(reader)
    lines = LogLines()
    lines.say("api", "one")
    lines.say("api", "two")
    stream.close()


def test_a_full_disk_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        LogLines().say("api", "one")


def test_letters_that_the_terminal_does_not_know_are_written_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        LogLines().say("api", "字")
    assert read_all(reader) == ["       api | \\u5b57"]
