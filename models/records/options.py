"""What can be chosen of our own networks; a version's record keeps what was.

Needs neither torch nor pydantic: the API offers these, and networks are built by them.
"""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """Stub."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    head: str | None = None
    iou: float = 0.7
    least_confidence: float = 0.01
    outputs: Literal["logits", "probabilities"] | None = None


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
