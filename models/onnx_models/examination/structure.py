"""What a parsed ONNX file may consist of: held against limits before a library builds anything."""

from math import prod
from typing import Any

from models.onnx_models.examination.graphs import count_operators
from models.onnx_models.examination.wording import shown
from models.records.errors import WeightsError

MOST_PORTS = 64
MOST_METADATA_BYTES = 2**20
LONGEST_NAME = 512
# Numbers of one input, as far as the file fixes them: 16,384 x 16,384.
MOST_INPUT_NUMBERS = 2**28


def check_structure(model: Any) -> int:
    """Hold an onnx.ModelProto against the limits; gives how many operators it has, written out.

    Raises WeightsError for the first thing that is refused.
    """
    if not model.HasField("graph") or not model.opset_import:
        raise WeightsError(
            "The model file is no ONNX file: it has no graph, or no opset. Export the network as "
            "ONNX, and register that file."
        )
    if model.training_info:
        raise WeightsError("The model file brings a training along; export it for inference alone.")
    _check_metadata(model.metadata_props)
    _check_ports(model.graph)
    return count_operators(model)


def _check_metadata(entries: Any) -> None:
    for each in entries:
        _refuse_bytes(each.key, each.value)
    size = sum(len(each.key.encode()) + len(each.value.encode()) for each in entries)
    if size > MOST_METADATA_BYTES:
        raise WeightsError(
            f"The model file has {size:,} bytes of metadata; at most {MOST_METADATA_BYTES:,} are "
            "read. Leave out what is no description (metadata_props)."
        )


def _check_ports(graph: Any) -> None:
    initialized = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in initialized]
    for what, ports in (("inputs", inputs), ("outputs", graph.output)):
        if not 1 <= len(ports) <= MOST_PORTS:
            raise WeightsError(
                f"The model has {len(ports):,} {what}; 1 to {MOST_PORTS} are taken. Export it "
                "with those of one picture."
            )
        for port in ports:
            _refuse_bytes(port.name)
            if len(port.name) > LONGEST_NAME:
                raise WeightsError(
                    f"The name {shown(port.name)} of one of the model's {what} is too long: it has "
                    f"{len(port.name):,} characters, and at most {LONGEST_NAME} are taken."
                )
    for each in inputs:
        _check_input_sizes(each)


def _check_input_sizes(port: Any) -> None:
    fixed = [
        each.dim_value for each in port.type.tensor_type.shape.dim if each.HasField("dim_value")
    ]
    numbers = prod(max(each, 0) for each in fixed)
    if not 0 < numbers <= MOST_INPUT_NUMBERS:
        raise WeightsError(
            f"The model's input {shown(port.name)} fixes the sizes {fixed[:8]}; each is at least "
            f"1, and together they have at most {MOST_INPUT_NUMBERS:,} numbers. Export it for "
            "pictures of an ordinary size, or with sizes left open."
        )


def _refuse_bytes(*names: str | bytes) -> None:
    for name in names:
        if isinstance(name, bytes):
            raise WeightsError(
                f"The model file has a name that is no text, {shown(name)}: it must be UTF-8. The "
                "file is damaged; export it anew."
            )
