"""What can be chosen of our own networks; a version's record keeps what was.

Needs no torch: the API checks these before a training exists.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import RecordError

KernelSize = Literal[3, 5, 7]
Activation = Literal["relu", "tanh", "sigmoid"]
Pooling = Literal["max", "average"]

# The architectures that take them; all others are built as they were published.
CONFIGURABLE = frozenset({"digits", "recurrent/digits-gru", "recurrent/digits-lstm"})


class NetworkOptions(BaseModel):
    """How the convolutions of a network of ours are made.

    `kernel_size` is in pixels, `pooling` what becomes of four neighbouring values.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kernel_size: KernelSize = 3
    activation: Activation = "relu"
    pooling: Pooling = "max"


def read_options(options: Mapping[str, Any]) -> NetworkOptions:
    """Read a record's `options`; raises RecordError naming the first bad one."""
    try:
        return NetworkOptions.model_validate(dict(options))
    except ValidationError as err:
        first = err.errors()[0]
        name = ".".join(map(str, first["loc"])) or "options"
        raise RecordError(f"The record's option {name!r} is refused: {first['msg']}.") from err
