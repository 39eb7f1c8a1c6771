"""What is known of an ONNX file once it was parsed and run behind walls. Plain data, no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph.

    dtype: onnxruntime's name, such as "tensor(float)". shape: numbers where the file says them,
    None where a size is the caller's to choose.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself, and what it gave for one blank input.

    given: the outputs' true shapes for `blank`, the shape of the input that was tried; both empty
    when no input could be made up. metadata: its `metadata_props`. opset: that of the standard
    operators. operators: how many nodes, subgraphs included.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    blank: tuple[int, ...] = ()
    given: tuple[tuple[int, ...], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    producer: str = ""
    opset: int = 0
    operators: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain data that travels as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave, lists for tuples."""
        return cls(
            inputs=tuple(_port(each) for each in data["inputs"]),
            outputs=tuple(_port(each) for each in data["outputs"]),
            blank=tuple(data["blank"]),
            given=tuple(tuple(each) for each in data["given"]),
            metadata=dict(data["metadata"]),
            producer=str(data["producer"]),
            opset=int(data["opset"]),
            operators=int(data["operators"]),
        )


def _port(data: Mapping[str, Any]) -> Port:
    return Port(data["name"], data["dtype"], tuple(data["shape"]))
