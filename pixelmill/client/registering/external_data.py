"""An ONNX file whose weights lie beside it, made one file.

    best.onnx ── its graph's tensors say: 4,096 bytes from 128 on of best.onnx.data
              ─► best.onnx ── with these bytes in the tensors themselves

torch.onnx.export writes two files unless it is told otherwise, and a server takes one. An ONNX file
is a protobuf message (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), of which only the
fields on the way to tensors are known here; all others are copied as they are. What cannot be
parsed is left to the server to judge.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pixelmill.wire.errors import InvalidInput

# What a protobuf message may have at most.
_MOST_BYTES: Final = 2**31 - 1
_DEEPEST = 32
# For each kind of message the fields that hold others, by their numbers.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# Of a tensor: its bytes, where they lie, and that they lie there (1).
_RAW, _ENTRY, _LOCATION = 9, 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _NoProtobufError(Exception):
    """The bytes are no message that is known here."""


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    kind: int
    # The whole field, and what it holds.
    whole: memoryview
    value: memoryview


def join_external_data(source: Path, target: Path) -> bool:
    """Write `source` and what its tensors name beside it to `target`; False where nothing does.

    Raises InvalidInput for a file that is missing, lies elsewhere or is too short, and for more
    than a protobuf message may hold.
    """
    if not 0 < source.stat().st_size <= _MOST_BYTES:
        return False
    with source.open("rb") as file:
        # Closed with the last view of it.
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        if not _has_outside(whole, "model", 0):
            return False
        target.write_bytes(_joined(whole, "model", _Beside(source, _MOST_BYTES - len(whole)), 0))
    except _NoProtobufError:
        return False
    return True


def _has_outside(message: memoryview, kind: str, depth: int) -> bool:
    """Say whether a tensor of a message lies outside the file; copies nothing."""
    if depth > _DEEPEST:
        raise _NoProtobufError
    if kind == "tensor":
        return any(
            _is_location(field) and bytes(field.value) != b"\0" for field in _fields(message)
        )
    inside = _INSIDE[kind]
    return any(
        _has_outside(field.value, inside[field.number], depth + 1)
        for field in _fields(message)
        if field.kind == _BYTES and field.number in inside
    )


def _is_location(field: _Field) -> bool:
    return field.number == _LOCATION and field.kind == _VARINT


class _Beside:
    """The files beside an ONNX file: pieces of them, by what its tensors say."""

    def __init__(self, source: Path, most_bytes: int) -> None:
        self._source, self._left = source, most_bytes

    def read(self, entries: Mapping[str, str]) -> bytes:
        """Give the bytes that a tensor names; raises InvalidInput."""
        location = entries.get("location", "")
        if not location or set("/\\:\0") & set(location) or location.startswith("."):
            raise InvalidInput(
                f"{self._source} has weights in {location[:80]!r}; only a file beside it is read. "
                "Save it as one: onnx.save(onnx.load(path), path, save_as_external_data=False)."
            )
        path = self._source.parent / location
        if path.is_symlink() or not path.is_file():
            raise InvalidInput(
                f"{self._source} has its weights in {location}, which is not beside it. Put both "
                "into one folder, or export one file: torch.onnx.export(…, external_data=False)."
            )
        size = path.stat().st_size
        start = _whole(entries, "offset", 0)
        length = _whole(entries, "length", size - start)
        if start + length > size or length < 0:
            raise InvalidInput(
                f"{self._source} wants {length:,} bytes from {start:,} on of {location}, which has "
                f"{size:,}: it is another export's, or was cut short."
            )
        self._left -= length
        if self._left < 0:
            raise InvalidInput(
                f"{self._source} and {location} are more than 2 GB together, and one ONNX file "
                "holds no more. Export the network in float16, or push its state dict."
            )
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)


def _joined(message: memoryview, kind: str, beside: _Beside, depth: int) -> bytes:
    """Give a message with all tensors' bytes inside."""
    if depth > _DEEPEST:
        raise _NoProtobufError
    if kind == "tensor":
        return _joined_tensor(message, beside)
    inside, parts = _INSIDE[kind], []
    for field in _fields(message):
        if field.kind == _BYTES and field.number in inside:
            made = _joined(field.value, inside[field.number], beside, depth + 1)
            parts += [_varint(field.number << 3 | _BYTES), _varint(len(made)), made]
        else:
            parts.append(bytes(field.whole))
    return b"".join(parts)


def _joined_tensor(message: memoryview, beside: _Beside) -> bytes:
    entries: dict[str, str] = {}
    kept, is_outside = [], False
    for field in _fields(message):
        if field.number == _ENTRY and field.kind == _BYTES:
            texts = {
                each.number: bytes(each.value).decode(errors="replace")
                for each in _fields(field.value)
            }
            entries[texts.get(1, "")] = texts.get(2, "")
        elif _is_location(field):
            is_outside = bytes(field.value) != b"\0"
        else:
            kept.append(field)
    if not is_outside:
        return bytes(message)
    data = beside.read(entries)
    parts = [bytes(field.whole) for field in kept if field.number != _RAW]
    return b"".join([*parts, _varint(_RAW << 3 | _BYTES), _varint(len(data)), data])


def _fields(message: memoryview) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        begin = at
        tag, at = _read_varint(message, at)
        kind, start = tag & 7, at
        if kind == _VARINT:
            _, at = _read_varint(message, at)
        elif kind == _BYTES:
            length, start = _read_varint(message, at)
            at = start + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _NoProtobufError
        if at > len(message):
            raise _NoProtobufError
        yield _Field(tag >> 3, kind, message[begin:at], message[start:at])


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _NoProtobufError


def _varint(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _whole(entries: Mapping[str, str], name: str, missing: int) -> int:
    text = entries.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 20 else missing
