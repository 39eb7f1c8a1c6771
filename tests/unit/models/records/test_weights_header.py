"""A safetensors header is believed only as far as the file bears it out."""

from pathlib import Path

import pytest

from models.records.errors import WeightsError
from models.records.weights_header import check_header
from tests.model_files.weights_files import DIGITS, bare_bomb, hostile_files, safetensors


def check(data: bytes) -> None:
    check_header(len(data), lambda start, length: data[start : start + length])


def test_an_honest_file_passes() -> None:
    check(DIGITS)
    scalar = {"dtype": "F16", "shape": [], "data_offsets": [0, 2]}
    nothing = {"dtype": "F16", "shape": [0, 3], "data_offsets": [2, 2]}
    check(safetensors({"a": scalar, "b": nothing, "__metadata__": {"by": "me"}}, bytes(2)))


def test_whatever_cannot_be_true_is_refused_in_a_finished_sentence(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for what, data in hostile_files(trap).items():
        with pytest.raises(WeightsError) as caught:
            check(data)
        assert str(caught.value).endswith("."), what
    assert not trap.exists()


def test_a_pickle_is_called_one_and_never_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="pickle"):
        check(bare_bomb(tmp_path / "sprung"))
    assert not (tmp_path / "sprung").exists()


def test_only_the_header_is_read() -> None:
    read: list[tuple[int, int]] = []

    def spy(start: int, length: int) -> bytes:
        read.append((start, length))
        return DIGITS[start : start + length]

    check_header(len(DIGITS), spy)
    assert max(start + length for start, length in read) < 4096
