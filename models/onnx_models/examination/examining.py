"""A stranger's ONNX file, from its bytes to facts; to be called behind walls alone.

    bytes ─► other formats ─► parsed by onnx ─► structure ─► opened by onnxruntime ─► run once

What the first steps let through the libraries' own C++ meets, which is why all of it runs in a
process that has nothing (workers/walls/networks.py). Needs no torch.
"""

from typing import Any

from models.onnx_models.examination.facts import Facts
from models.onnx_models.examination.opening import library
from models.onnx_models.examination.other_formats import refuse_other_formats
from models.onnx_models.examination.structure import check_structure
from models.onnx_models.examination.trial import try_out
from models.onnx_models.examination.wording import as_text
from models.records.errors import WeightsError

# What one message of protobuf can hold, and so one file.
MOST_BYTES = 2**31 - 1
_LONGEST_PRODUCER = 200
_STANDARD = ("", "ai.onnx")


def examine(data: bytes) -> Facts:
    """Say what an ONNX file takes, gives and tells of itself.

    Raises WeightsError, whose message is one line, for a file that is no ONNX, that asks for more
    than is allowed, or that does not run; MemoryError for one that takes more than there is.
    """
    if len(data) > MOST_BYTES:
        raise WeightsError(
            f"The model file has {len(data):,} bytes, and one of ONNX at most {MOST_BYTES:,}."
        )
    refuse_other_formats(data)
    model = _parse(data)
    operators = check_structure(model)
    metadata = {each.key: each.value for each in model.metadata_props}
    producer = " ".join(map(as_text, (model.producer_name, model.producer_version))).strip()
    opset = max(
        (each.version for each in model.opset_import if each.domain in _STANDARD), default=0
    )
    # Weights lie in it too, and onnxruntime is about to make copies of its own.
    del model
    found = try_out(data, metadata)
    return Facts(
        found.inputs,
        found.outputs,
        found.blank,
        found.given,
        metadata,
        producer[:_LONGEST_PRODUCER],
        opset,
        operators,
    )


def _parse(data: bytes) -> Any:
    """Read the bytes as protobuf; what they say lies outside the file is never read."""
    onnx = library("onnx")
    try:
        return onnx.ModelProto.FromString(data)
    except MemoryError:
        raise
    except Exception as err:  # protobuf has a class of its own for it, and no stable name
        raise WeightsError(
            "The model file cannot be parsed as ONNX: it is cut short, damaged, nested without "
            "end, or something else. Export it anew, and compare its size after the upload."
        ) from err
