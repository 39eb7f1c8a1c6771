"""What hostile ONNX files are put together of."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, StringStringEntryProto, TensorProto, helper

from tests.model_files.models_by_hand import (
    FLOAT,
    OPEN,
    classifier,
    file,
    node,
    port,
    proto,
    scalar,
    whole,
)

RELU = node("Relu", "x", "y")

GOOD = classifier().SerializeToString()

_OUTSIDE = TensorProto.EXTERNAL


def outside(location: str, name: str = "w") -> Any:
    """A tensor whose numbers lie in another file."""
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[4], data_location=_OUTSIDE)
    tensor.external_data.append(StringStringEntryProto(key="location", value=location))
    return tensor


def with_outside(location: str) -> bytes:
    return file([node("Add", "x w", "y")], [outside(location)])


def of_attribute() -> bytes:
    return file([node("Constant", "", "w", value=outside("weights.bin")), node("Add", "x w", "y")])


def of_branch() -> bytes:
    held = node("Constant", "", "b", value=outside("weights.bin"))
    return file([conditional(helper.make_graph([held], "b", [], [port("b", None)]))], [TRUE])


def of_loop() -> bytes:
    return file([loop([node("Identity", "w", "s_out")], [outside("w.bin")])], LOOP_INPUTS)


def of_sparse() -> bytes:
    model = proto([node("Add", "x w", "y")])
    sparse = model.graph.sparse_initializer.add(dims=[8])
    sparse.values.CopyFrom(outside("values.bin"))
    sparse.indices.CopyFrom(whole("", 0, 1, 2, 3))
    return model.SerializeToString()


def of_function() -> bytes:
    made = function("F", [node("Identity", "a", "b")])
    held = made.attribute_proto.add(name="w", type=AttributeProto.TENSOR)
    held.t.CopyFrom(outside("weights.bin"))
    return with_functions([made], "F")


def of_training() -> bytes:
    model = proto([RELU])
    model.training_info.add().algorithm.initializer.append(outside("weights.bin"))
    return model.SerializeToString()


TRUE = scalar("true", True, TensorProto.BOOL)

LOOP_INPUTS = [scalar("many", 2**62), TRUE, scalar("start", 0.0, FLOAT)]


def conditional(branch: Any, name: str = "y") -> Any:
    return helper.make_node("If", ["true"], [name], then_branch=branch, else_branch=branch)


def loop(nodes: list[Any], initializers: list[Any] = []) -> Any:  # noqa: B006
    """A loop that never ends, around nodes that give s_out; s_in is what they gave before."""
    inputs = [
        port("i", [], TensorProto.INT64),
        port("c_in", [], TensorProto.BOOL),
        port("s_in", None),
    ]
    outputs = [port("c_out", [], TensorProto.BOOL), port("s_out", None)]
    body = [node("Identity", "c_in", "c_out"), *nodes]
    graph = helper.make_graph(body, "body", inputs, outputs, initializers)
    return helper.make_node("Loop", ["many", "true", "start"], ["y"], body=graph)


def nested(depth: int) -> bytes:
    graph = helper.make_graph([node("Identity", "x", "z0")], "g", [], [port("z0", None)])
    for at in range(1, depth):
        graph = helper.make_graph([conditional(graph, f"z{at}")], "g", [], [port(f"z{at}", None)])
    return file([conditional(graph)], [TRUE])


def field(number: int, content: bytes) -> bytes:
    """One field of protobuf that holds bytes."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def nested_by_bytes(depth: int) -> bytes:
    """A node with an attribute with a graph with a node…, deeper than the library would write."""
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return proto([RELU]).SerializeToString() + field(7, graph)


def function(name: str, nodes: list[Any]) -> Any:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, opsets)


def call(name: str, given: str = "a", gives: str = "b") -> Any:
    return node(name, given, gives, domain="own")


def with_functions(functions: list[Any], called: str) -> bytes:
    return file([call(called, "x", "y")], functions=functions, domains=["own"])


def doubling(times: int) -> bytes:
    functions = [function("F0", [node("Relu", "a", "b")])]
    for at in range(1, times):
        calls = [call(f"F{at - 1}", "a", "t"), call(f"F{at - 1}", "t", "b")]
        functions.append(function(f"F{at}", calls))
    return with_functions(functions, f"F{times - 1}")


def chain(length: int) -> bytes:
    """Functions that call each other one after the other; the last is written down first."""
    functions = [function("F0", [node("Relu", "a", "b")])]
    functions += [function(f"F{at}", [call(f"F{at - 1}")]) for at in range(1, length)]
    return with_functions(functions, f"F{length - 1}")


def changed(change: Callable[[Any], object], model: Any = None) -> bytes:
    copy = ModelProto()
    copy.CopyFrom(proto([RELU]) if model is None else model)
    change(copy)
    return copy.SerializeToString()


def with_metadata(count: int) -> bytes:
    return changed(lambda model: model.metadata_props.add(key="k", value="v" * count))


def lying(**fields: Any) -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, **fields)
    return file([node("Add", "x w", "y")], [tensor])


def typed(value: Any, name: str = "x") -> Any:
    return helper.make_value_info(name, value)


def identity(number: int) -> bytes:
    ports = [port(name, OPEN, number) for name in "xy"]
    return file([node("Identity", "x", "y")], inputs=ports[:1], outputs=ports[1:])


def checkpoint() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": 1}))
    return packed.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def noise() -> bytes:
    return np.random.default_rng(3).bytes(100_000)


def other_protobuf() -> bytes:
    return b"\x08\x07" + field(3, b"something else\x01") * 100


def bomb(*nodes: Any, initializers: Any = ()) -> bytes:
    """Nodes that make c, which is added to the picture's mean."""
    mean = node("ReduceMean", "x", "m", keepdims=0)
    end = [node("ReduceMean", "c", "d", keepdims=0), node("Add", "m d", "y")]
    return file([*nodes, mean, *end], initializers)
