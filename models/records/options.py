"""What can be chosen of our own networks, and of ONNX files; a version's record keeps what was.

Needs neither torch nor pydantic: the API offers these, and networks are built by them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from models.records.errors import RecordError

KernelSize = Literal[3, 5, 7]
Activation = Literal["relu", "tanh", "sigmoid"]
Pooling = Literal["max", "average"]

# The architectures that take them; all others are built as they were published.
CONFIGURABLE = frozenset({"digits", "recurrent/digits-gru", "recurrent/digits-lstm"})


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the convolutions of a network of ours are made.

    `kernel_size` is in pixels, `pooling` what becomes of four neighbouring values.
    """

    # For the API, which offers them as they stand here.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kernel_size: KernelSize = 3
    activation: Activation = "relu"
    pooling: Pooling = "max"


_CHOICES = {
    each.name: get_args(get_type_hints(NetworkOptions)[each.name])
    for each in fields(NetworkOptions)
}


def read_options(options: Mapping[str, Any]) -> NetworkOptions:
    """Read a record's `options`; raises RecordError naming the first bad one."""
    for name, value in options.items():
        choices = _CHOICES.get(name)
        if choices is None:
            raise RecordError(
                f"The record's option {name!r} is refused: there are {', '.join(_CHOICES)}."
            )
        if type(value) is not type(choices[0]) or value not in choices:
            raise RecordError(
                f"The record's option {name!r} is refused: it is {value!r} and must be one of "
                f"{', '.join(map(repr, choices))}."
            )
    return NetworkOptions(**options)


# Whether a classifier's numbers are a softmax's, before it or after it.
Scale = Literal["logits", "probabilities"]
# How values of [0, 1] are normalised: by ImageNet's mean and deviation, not at all, to [-1, 1].
ValueScale = Literal["imagenet", "unit", "symmetric"]
# In what boxes are told: pixels of the input, or shares of its sides.
BoxUnit = Literal["pixels", "normalised"]


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How the outputs of an ONNX file are read.

    `head` names what its outputs are (models/onnx_models/reading/heads). `iou`: of two boxes of one
    class that overlap by more, the more confident one stays, where the file does not thin out boxes
    itself; 0.7 is Ultralytics' own. `least_confidence`: objects below it are never told. `outputs`:
    what scores are, for heads that take both. `boxes`: the same of boxes. `scale`: how pixels are
    normalised. None is the head's usual, where there is one.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    head: str | None = None
    iou: float = 0.7
    least_confidence: float = 0.01
    outputs: Scale | None = None
    boxes: BoxUnit | None = None
    scale: ValueScale | None = None


def read_onnx_options(options: Mapping[str, Any]) -> OnnxOptions:
    """Read the `options` of an ONNX file's record; raises RecordError naming the first bad one."""
    for name, value in options.items():
        expected = _ONNX_CHECKS.get(name)
        if expected is None:
            raise RecordError(
                f"The record's option {name!r} is refused: there are {', '.join(_ONNX_CHECKS)}."
            )
        good, fits = expected
        if not fits(value):
            raise RecordError(
                f"The record's option {name!r} is refused: it is {value!r} and must be {good}."
            )
    return OnnxOptions(**options)


def _is_share(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 1


def _is_head(value: object) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _one_of(choices: tuple[str, ...]) -> tuple[str, Callable[[object], bool]]:
    return f"one of {', '.join(map(repr, choices))}", lambda value: value in (None, *choices)


# For each option: what would be good, and whether a value is.
_ONNX_CHECKS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "head": ("a head's name", _is_head),
    "iou": ("a number from 0 to 1", _is_share),
    "least_confidence": ("a number from 0 to 1", _is_share),
    "outputs": _one_of(get_args(Scale)),
    "boxes": _one_of(get_args(BoxUnit)),
    "scale": _one_of(get_args(ValueScale)),
}
