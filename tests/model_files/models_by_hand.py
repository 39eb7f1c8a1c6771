"""ONNX files made by code: small networks that run, and the parts that broken ones are made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
OPEN = ["n", 3, "h", "w"]


def port(name: str, shape: Sequence[Any] | None, number: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, number, shape)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def weights(name: str, *shape: int, seed: int = 0) -> Any:
    numbers = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return numpy_helper.from_array(numbers / max(1, numbers[0].size) ** 0.5, name)


def whole(name: str, *numbers: int) -> Any:
    """A list of int64."""
    return helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)


def scalar(name: str, number: Any, kind: int = TensorProto.INT64) -> Any:
    return helper.make_tensor(name, kind, [], [number])


def proto(
    nodes: Sequence[Any],
    initializers: Sequence[Any] = (),
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    opset: int = 17,
    functions: Sequence[Any] = (),
    domains: Sequence[str] = (),
) -> Any:
    """A model with the input x, float (n, 3, h, w), and the output y, unless others are given."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [port("x", OPEN)] if inputs is None else inputs,
        [port("y", None)] if outputs is None else outputs,
        initializers,
    )
    opsets = [helper.make_opsetid(each, 1 if each else opset) for each in ("", *domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


def file(*given: Any, **named: Any) -> bytes:
    made: bytes = proto(*given, **named).SerializeToString()
    return made


def classifier(
    shape: Sequence[Any] = OPEN, classes: int = 5, channels: int = 8, layers: int = 1
) -> Any:
    """Convolutions, their mean, and one number a class: y is float (n, classes)."""
    nodes, initializers = (
        [node("Conv", "x w0", "c0", pads=[1] * 4)],
        [weights("w0", channels, 3, 3, 3)],
    )
    for at in range(1, layers):
        initializers.append(weights(f"w{at}", channels, channels, 3, 3, seed=at))
        nodes.append(node("Relu", f"c{at - 1}", f"r{at}"))
        nodes.append(node("Conv", f"r{at} w{at}", f"c{at}", pads=[1] * 4))
    nodes += [
        node("GlobalAveragePool", f"c{layers - 1}", "p"),
        node("Flatten", "p", "f"),
        node("Gemm", "f v", "y"),
    ]
    initializers.append(weights("v", channels, classes, seed=99))
    return proto(nodes, initializers, [port("x", shape)])
