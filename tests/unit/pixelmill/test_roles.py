"""What the local stack prints of its roles."""

import io
import sys

import pytest

from pixelmill.roles import say


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
