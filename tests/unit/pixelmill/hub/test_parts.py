"""Weights in parts become one file of the same tensors."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pixelmill.client.hub.parts import join_parts
from pixelmill.wire.errors import InvalidInput

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor([1, 2, 3], dtype=torch.int64),
    "c": torch.full((4,), 0.5, dtype=torch.float16),
}
NAMES = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in NAMES]
    save_file({"a": TENSORS["a"]}, paths[0], {"format": "pt"})
    save_file({name: TENSORS[name] for name in "bc"}, paths[1])
    return paths


def index(**changed: str) -> dict[str, object]:
    return {"weight_map": {"a": NAMES[0], "b": NAMES[1], "c": NAMES[1]} | changed}


def test_parts_become_one_file(parts: list[Path], tmp_path: Path) -> None:
    join_parts(index(), parts, tmp_path / "whole")
    found = load_file(tmp_path / "whole")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@pytest.mark.parametrize("name", ["../../etc/passwd", "model-00003-of-00003.safetensors"])
def test_a_file_that_is_none_of_the_parts_is_refused(
    parts: list[Path], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidInput, match="none of their parts"):
        join_parts(index(d=name), parts, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize("given", [{}, {"weight_map": []}])
def test_an_index_without_a_map_is_refused(
    parts: list[Path], tmp_path: Path, given: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput, match="weight_map"):
        join_parts(given, parts, tmp_path / "whole")


def test_tensors_that_lie_elsewhere_are_refused(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the same tensors"):
        join_parts(index(a=NAMES[1]), parts, tmp_path / "whole")


def test_a_tensor_in_two_parts_is_refused(parts: list[Path], tmp_path: Path) -> None:
    save_file(TENSORS, parts[1])
    with pytest.raises(InvalidInput, match="the same tensors"):
        join_parts(index(a=NAMES[1]), parts, tmp_path / "whole")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 64,
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b'{"a": {}}',
        (9).to_bytes(8, "little") + b'{"a": {}}'[:5],
    ],
)
def test_what_is_no_safetensors_file_is_refused(
    parts: list[Path], tmp_path: Path, data: bytes
) -> None:
    parts[0].write_bytes(data)
    with pytest.raises(InvalidInput, match=NAMES[0]):
        join_parts(index(), parts, tmp_path / "whole")


def test_the_header_is_whole_json(parts: list[Path], tmp_path: Path) -> None:
    join_parts(index(), parts, tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length])["__metadata__"] == {"format": "pt"}
