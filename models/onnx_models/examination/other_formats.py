"""What a file is that is no ONNX file, told from its first bytes."""

from models.records.errors import WeightsError
from models.records.weights_header import looks_pickled

_EXPORT = "Export the network as ONNX, and register that file."

# (place, bytes, what begins so, what to do). ONNX itself has no such bytes.
_KNOWN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PK", "a zip archive, such as a checkpoint of PyTorch (.pt)", _EXPORT),
    (0, b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull."),
    (0, b"ftrt", "an engine of TensorRT", "Register the ONNX file that it was built from."),
    (0, b"ptrt", "an engine of TensorRT", "Register the ONNX file that it was built from."),
    (4, b"ORTM", "a file in onnxruntime's own format", "Register the ONNX file it was made of."),
    (4, b"TFL3", "a file of TensorFlow Lite", "Convert it with tf2onnx, and register that."),
    (0, b"GGUF", "a GGUF file", _EXPORT),
    (0, b"\x89HDF", "an HDF5 file, such as one of Keras", _EXPORT),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it, and register the ONNX file in it."),
    (0, b"\x89PNG", "a picture (PNG)", _EXPORT),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", _EXPORT),
)
_LOOKED_AT = 256


def refuse_other_formats(data: bytes) -> None:
    """Refuse what is plainly something else than ONNX; raises WeightsError saying what it is."""
    if not data:
        raise WeightsError("The model file is empty: nothing was written, or sent. Export it anew.")
    head = data[:_LOOKED_AT]
    for place, magic, what, advice in _KNOWN:
        if head[place:].startswith(magic):
            raise WeightsError(f"The model file is {what}, and not ONNX. {advice}")
    if head[8:9] == b"{" and head[4:8] == b"\0\0\0\0":
        raise WeightsError(
            "The model file is in the format safetensors, which has weights but no network. "
            "Register it with its architecture, or export the network as ONNX."
        )
    if looks_pickled(head):
        raise WeightsError(
            f"The model file is a Python pickle, which could run code, and not ONNX. {_EXPORT}"
        )
    if _is_text(head):
        raise WeightsError(f"The model file is text, and not ONNX. {_EXPORT}")


def _is_text(head: bytes) -> bool:
    # An ONNX file has the number of its format's version near the beginning.
    return all(32 <= each < 127 or each in b"\t\r\n" for each in head)
