"""Tensors that lie in a file: whole, of a known kind, and as large as they say."""

import re
from collections.abc import Mapping
from math import prod
from typing import Any

from models.onnx_models.examination.wording import as_text, shown
from models.records.errors import WeightsError

_MOST_AXES = 8

# Bits of one number, by its kind's number in onnx.TensorProto.DataType; text (8) has none.
_TEXT = 8
_BITS: Mapping[int, int] = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),  # (u)int8, bool, float8
    **dict.fromkeys((4, 5, 10, 16), 16),  # (u)int16, float16, bfloat16
    **dict.fromkeys((1, 6, 12), 32),  # float, (u)int32
    **dict.fromkeys((7, 11, 13, 14), 64),  # (u)int64, double, complex64
    15: 128,  # complex128
    **dict.fromkeys((21, 22, 23), 4),  # (u)int4, float4
    **dict.fromkeys((25, 26), 2),  # (u)int2
}
# Where numbers lie that are not raw, and how many bits one of the field holds.
_FIELDS: tuple[tuple[str, tuple[int, ...], int], ...] = (
    ("float_data", (1, 14), 32),
    ("double_data", (11, 15), 64),
    ("int64_data", (7,), 64),
    ("uint64_data", (12, 13), 0),
)
# Of int32_data: as many numbers as there are, and of less than a byte as many as fit one.
_BYTE = 8
# onnxruntime's mark for "these bytes lie at this address of the process".
_ADDRESS = re.compile(r"_ORT_MEM_ADDR_")


def check_tensor(tensor: Any, where: str) -> None:
    """Refuse an onnx.TensorProto that is not all here, or not what it says; raises WeightsError.

    `where` names it in the message.
    """
    if tensor.data_location or tensor.external_data:
        _refuse_external(tensor, where)
    if tensor.HasField("segment"):
        raise WeightsError(f"{where} is a piece of a tensor; export the network in whole tensors.")
    dims = list(tensor.dims)
    if len(dims) > _MOST_AXES or any(each < 0 for each in dims):
        raise WeightsError(
            f"{where} states the shape {dims[: _MOST_AXES + 1]}; there are at most {_MOST_AXES} "
            "sizes, and none is negative. The file is damaged, or was made by hand."
        )
    _check_size(tensor, prod(dims), where)


def _refuse_external(tensor: Any, where: str) -> None:
    entries = {as_text(each.key): as_text(each.value) for each in tensor.external_data}
    location = entries.get("location", "")
    if _ADDRESS.search(location):
        raise WeightsError(
            f"{where} points to an address in memory ({shown(location)}), and not to numbers in "
            "the file. Export the network again, with its weights inside."
        )
    raise WeightsError(
        f"{where} lies outside the file, in {shown(location)} (external data); one file with all "
        "weights is read. Save it with onnx.save(model, path, save_as_external_data=False)."
    )


def _check_size(tensor: Any, numbers: int, where: str) -> None:
    kind = tensor.data_type
    if kind == _TEXT:
        held, wanted = len(tensor.string_data), numbers
    elif kind not in _BITS:
        raise WeightsError(f"{where} has numbers of an unknown kind ({kind}); export it anew.")
    elif tensor.HasField("raw_data"):
        held, wanted = len(tensor.raw_data), -(-numbers * _BITS[kind] // 8)
    else:
        held, wanted = _numbers_held(tensor, kind, numbers)
    if held != wanted:
        raise WeightsError(
            f"{where} states the shape {list(tensor.dims)}, which needs {wanted:,}, and holds "
            f"{held:,} bytes or numbers. The file is damaged; export it anew."
        )


def _numbers_held(tensor: Any, kind: int, numbers: int) -> tuple[int, int]:
    """Say how many numbers the field of their kind holds, and how many it should."""
    for field, kinds, bits in _FIELDS:
        if kind in kinds:
            each = _BITS[kind] // bits if bits else 1
            return len(getattr(tensor, field)), numbers * each
    packed = max(1, _BYTE // _BITS[kind])
    return len(tensor.int32_data), -(-numbers // packed)
