"""What weights are by their first bytes: two kinds are taken, others named with what to do."""

import io
import json
import pickle

import pytest
import torch

from models.records.errors import WeightsError
from models.records.weights_kind import weights_kind


def kind(data: bytes) -> str:
    return weights_kind(len(data), lambda start, length: data[start : start + length])


def checkpoint() -> bytes:
    file = io.BytesIO()
    torch.save({"w": torch.zeros(1)}, file)
    return file.getvalue()


def test_safetensors_and_onnx_are_known() -> None:
    from safetensors.torch import save

    assert kind(save({"w": torch.zeros(3)})) == "safetensors"
    assert kind(b"\x08\x09\x12\x07pytorch" + bytes(50)) == "onnx"


def test_safetensors_whose_header_looks_like_a_pickle_are_safetensors() -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}).encode()
    header = header.ljust(0x80)
    assert kind(len(header).to_bytes(8, "little") + header) == "safetensors"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (checkpoint(), "pickle.*save_file"),
        (pickle.dumps([1]), "pickle"),
        (b"ptrt" + bytes(60), "TensorRT.*onnx.export"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1c\0\0\0TFL3" + bytes(60), "TensorFlow Lite"),
        (b"GGUF" + bytes(60), "GGUF"),
        (b"hello, I am a text\n", "a text.*safetensors nor ONNX"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xf0\xf1\xf2", "unknown"),
    ],
)
def test_others_are_named_with_what_to_do(data: bytes, says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        kind(data)
