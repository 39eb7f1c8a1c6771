"""What a file's facts say of its one picture input and of the shapes of its outputs. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from models.onnx_models.examination.facts import Facts, Port
from models.records.errors import RecordError

# (height, width) in pixels.
Size = tuple[int, int]
# None where the caller chooses.
Shape = tuple[int | None, ...]

_CHANNELS: Final = (1, 3)
BYTES: Final = "tensor(uint8)"
_TAKEN: Final = ("tensor(float)", "tensor(float16)", BYTES)
# The strides of the grids that YOLO's networks answer on: usual, with a coarser one, a finer one.
USUAL_STRIDES: Final = (8, 16, 32)
_STRIDES: Final = (USUAL_STRIDES, (8, 16, 32, 64), (4, 8, 16, 32))


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The input that takes pictures, (batch, channels, height, width).

    free: the file leaves the size to the caller, and height and width were chosen here.
    one_at_a_time: the file says that a batch is one picture. of_bytes: it takes uint8, 0 to 255,
    and what normalises them is in the file.
    """

    channels: int
    height: int
    width: int
    free: bool
    one_at_a_time: bool
    of_bytes: bool = False


def written(shape: Sequence[int | None]) -> str:
    """Write a shape for a message: (?, 3, 640, 640)."""
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"


def with_batch(facts: Facts) -> Facts:
    """Write the input of a file that takes a picture, and no batch, as a batch of one."""
    ports = facts.inputs
    if len(ports) != 1 or len(ports[0].shape) != 3 or ports[0].shape[0] not in (*_CHANNELS, None):
        return facts
    port = replace(ports[0], shape=(1, *ports[0].shape))
    blank = (1, *facts.blank) if facts.blank else ()
    return replace(facts, inputs=(port,), blank=blank)


def picture_input(facts: Facts, usual: Size) -> PictureInput:
    """Read the input, which becomes `usual` where the file leaves its size open.

    Raises RecordError for inputs that take no pictures, or not as they are fed here.
    """
    port = _only_input(facts)
    _refuse_unless_pictures(port)
    batch, channels, height, width = port.shape
    if batch not in (None, 1):
        raise RecordError(
            f"The input {port.name!r} takes {batch} pictures at a time, {written(port.shape)}, "
            "and 1 or any number was expected: export the file with a dynamic batch "
            "(Ultralytics: dynamic=True), or with a batch of 1."
        )
    tried = facts.blank[1] if len(facts.blank) == 4 else 3
    free = height is None or width is None
    return PictureInput(
        channels=channels or tried,
        height=height or usual[0],
        width=width or usual[1],
        free=free,
        one_at_a_time=batch == 1,
        of_bytes=port.dtype == BYTES,
    )


def _only_input(facts: Facts) -> Port:
    if len(facts.inputs) != 1:
        named = ", ".join(f"{each.name} {written(each.shape)}" for each in facts.inputs)
        raise RecordError(
            f"The file has {len(facts.inputs)} inputs ({named or 'none'}) and exactly one was "
            "expected, pictures as (batch, channels, height, width): export it with the others "
            "made constant."
        )
    return facts.inputs[0]


def _refuse_unless_pictures(port: Port) -> None:
    found = f"The input {port.name!r} is {port.dtype} {written(port.shape)}"
    expected = "pictures as float32 (batch, channels, height, width) were expected"
    if len(port.shape) != 4:
        raise RecordError(f"{found} and {expected}.")
    if port.shape[1] not in _CHANNELS and port.shape[3] in _CHANNELS:
        raise RecordError(
            f"{found}, channels last (NHWC), and {expected}, channels first (NCHW): export it "
            "channels first, or with a Transpose before it."
        )
    if port.shape[1] not in (*_CHANNELS, None):
        raise RecordError(f"{found} and {expected}, with 1 or 3 channels.")
    if port.dtype not in _TAKEN:
        raise RecordError(
            f"{found} and {expected}, or float16, or uint8: export it as one of them."
        )


def output_shapes(facts: Facts) -> tuple[Shape, ...]:
    """Give the outputs' shapes: the true ones for the blank input, else those that are declared."""
    return facts.given or tuple(each.shape for each in facts.outputs)


def ranks(facts: Facts) -> list[int]:
    """Give how many dimensions each output has."""
    return [len(shape) for shape in output_shapes(facts)]


def tried_size(facts: Facts) -> Size | None:
    """Give the input's size for which `output_shapes` are; None where nothing says it."""
    if len(facts.blank) == 4:
        return facts.blank[2], facts.blank[3]
    shape = facts.inputs[0].shape if facts.inputs else ()
    if len(shape) == 4 and shape[2] is not None and shape[3] is not None:
        return shape[2], shape[3]
    return None


def cells(size: Size, strides: Sequence[int] = USUAL_STRIDES) -> int:
    """Count the cells of a network's grids over an input of this size."""
    return sum(ceil(size[0] / stride) * ceil(size[1] / stride) for stride in strides)


def cell_counts(facts: Facts) -> frozenset[int]:
    """Give the numbers of cells that a YOLO network may have for the tried size."""
    size = tried_size(facts)
    return frozenset() if size is None else frozenset(cells(size, each) for each in _STRIDES)
