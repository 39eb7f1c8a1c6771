"""Which kind of file weights are, by their first bytes. Needs no torch and reads no more than that.

Safetensors and ONNX files are taken. What else people have is named, with the command that turns it
into one of them on their own machine: all of it may run code when it is read.
"""

from collections.abc import Mapping
from typing import Final

from models.records.architectures import WeightsKind
from models.records.errors import WeightsError
from models.records.weights_header import Read, looks_pickled

_HEAD = 64
_SAVE = (
    "Save what it holds as safetensors on your machine, with "
    "`safetensors.torch.save_file(network.state_dict(), 'model.safetensors')`, and send that."
)
_EXPORT = (
    "Export it as ONNX on your machine, with `torch.onnx.export(network, example, 'model.onnx', "
    "external_data=False)`, and send that."
)
# By how a file begins: what it is, and what to do.
_OTHERS: Mapping[bytes, tuple[str, str]] = {
    b"ptrt": ("a TensorRT engine", _EXPORT),
    b"ftrt": ("a TensorRT engine", _EXPORT),
    b"\x89HDF": ("an HDF5 file (Keras)", _EXPORT),
    b"GGUF": ("a GGUF file", _SAVE),
    b"\x1f\x8b": ("a gzip file", "Unpack it, and send what is in it."),
    b"Rar!": ("an archive", "Unpack it, and send what is in it."),
    b"7z\xbc\xaf": ("an archive", "Unpack it, and send what is in it."),
    b"\x89PNG": ("a picture", "Send the model's file."),
    b"\xff\xd8\xff": ("a picture", "Send the model's file."),
}
# A model's message begins with its version of the format (field 1), or with a text (fields 2 to 4).
_ONNX_BEGINS: Final = (0x08, 0x12, 0x1A, 0x22, 0x3A, 0x42)


def weights_kind(size: int, read: Read) -> WeightsKind:
    """Say what a file of `size` bytes is; raises WeightsError naming what it is instead."""
    head = read(0, min(_HEAD, size))
    if not head:
        raise WeightsError("The weights are an empty file.")
    if head[8:9] == b"{" and head[4:8] == b"\0\0\0\0":
        return "safetensors"
    if looks_pickled(head):
        raise WeightsError(
            "The weights are a Python pickle (.pt, .pth, TorchScript, joblib), which could run "
            f"code. {_SAVE} `pixelmill push` does it by itself for a state dict."
        )
    for begins, (what, remedy) in _OTHERS.items():
        if head.startswith(begins):
            raise WeightsError(f"The weights are {what}, which is not run here. {remedy}")
    if head[4:8] == b"TFL3":
        raise WeightsError(f"The weights are a TensorFlow Lite file. {_EXPORT}")
    if head[0] in _ONNX_BEGINS and not _is_text(head):
        return "onnx"
    what = f"a text ({head[:20].decode('ascii', 'replace')!r})" if _is_text(head) else "unknown"
    raise WeightsError(
        f"The weights are {what}: neither safetensors nor ONNX. Send one of these two."
    )


def _is_text(head: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
