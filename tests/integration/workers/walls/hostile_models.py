"""Model files that are hostile, broken or something else: each by its name.

Beside each stands what is said of it. `REFUSED` are found out by what they are; `CONTAINED` only
by what they do. docs/security.md lists all of them, and a contract test holds the lists together.
"""

import pickle
from collections.abc import Callable, Mapping

from onnx import TensorProto, helper

from tests.integration.workers.walls.hostile_parts import (
    GOOD,
    LOOP_INPUTS,
    RELU,
    TRUE,
    bomb,
    call,
    chain,
    changed,
    checkpoint,
    conditional,
    doubling,
    field,
    function,
    identity,
    loop,
    lying,
    nested,
    nested_by_bytes,
    noise,
    of_attribute,
    of_branch,
    of_function,
    of_loop,
    of_sparse,
    of_training,
    other_protobuf,
    safetensors,
    typed,
    with_functions,
    with_metadata,
    with_outside,
)
from tests.model_files.models_by_hand import (
    FLOAT,
    OPEN,
    file,
    node,
    port,
    proto,
    scalar,
    weights,
    whole,
)

_LIST = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, OPEN))

_MAYBE = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, OPEN))

_HUGE = whole("s", 2**20, 2**20)

# By name: how it is made, and words of the reason why it is refused.
Table = Mapping[str, tuple[Callable[[], bytes], str]]

REFUSED: Table = {
    # Something else.
    "empty file": (lambda: b"", "is empty"),
    "text named .onnx": (lambda: b"This is my model.\n" * 100, "is text"),
    "web page": (lambda: b"<!DOCTYPE html><html>Not found</html>", "is text"),
    "pointer of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(99), "a picture"),
    "JPEG": (lambda: b"\xff\xd8\xff\xe0" + bytes(99), "a picture"),
    "pickle": (lambda: pickle.dumps({"w": 1}), "Python pickle"),
    "checkpoint of PyTorch": (checkpoint, "checkpoint of PyTorch"),
    "safetensors": (safetensors, "safetensors"),
    "HDF5 of Keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    "TensorRT engine": (lambda: b"ftrt" + bytes(99), "TensorRT"),
    "TensorFlow Lite": (lambda: b"\x1c\0\0\0TFL3" + bytes(99), "TensorFlow Lite"),
    "GGUF": (lambda: b"GGUF" + bytes(99), "GGUF"),
    "onnxruntime's own format": (lambda: b"\x1c\0\0\0ORTM" + bytes(99), "onnxruntime's own"),
    "gzip of an ONNX file": (lambda: b"\x1f\x8b\x08" + bytes(99), "gzip"),
    "noise": (noise, "cannot be parsed"),
    "zeros": (lambda: bytes(100_000), "cannot be parsed"),
    "another protobuf": (other_protobuf, "no ONNX file"),
    **{
        f"cut short at {percent} %": (
            lambda percent=percent: GOOD[: len(GOOD) * percent // 100],
            "cannot be parsed|no ONNX file|is text",
        )
        for percent in (1, 2, 5, 10, 20, 40, 60, 80, 95, 99)
    },
    # Numbers that lie elsewhere.
    "external initializer": (lambda: with_outside("weights.bin"), "external data"),
    "external path upwards": (lambda: with_outside("../../etc/passwd"), "etc/passwd.*external"),
    "external absolute path": (lambda: with_outside("/etc/passwd"), "etc/passwd.*external"),
    "external address": (lambda: with_outside("http://10.0.0.1/w"), "10.0.0.1.*external"),
    "external in an attribute": (of_attribute, "external data"),
    "external in a branch": (of_branch, "external data"),
    "external in a loop": (of_loop, "external data"),
    "external in a sparse tensor": (of_sparse, "external data"),
    "external in a function": (of_function, "external data"),
    "external in a training": (of_training, "brings a training"),
    "address in memory": (lambda: with_outside("*/_ORT_MEM_ADDR_/*"), "address in memory"),
    "path in an attribute": (
        lambda: file([node("Relu", "x", "y", path="/etc/passwd")]),
        "names a path",
    ),
    # Operators and functions.
    "custom operator": (
        lambda: file([node("Frob", "x", "y", domain="com.evil")], domains=["com.evil"]),
        "'Frob' of 'com.evil'",
    ),
    "operator of onnxruntime": (
        lambda: file([node("Gelu", "x", "y", domain="com.microsoft")], domains=["com.microsoft"]),
        "'Gelu' of 'com.microsoft'",
    ),
    "custom operator in a branch": (
        lambda: file(
            [
                conditional(
                    helper.make_graph(
                        [node("Frob", "x", "b", domain="com.evil")], "b", [], [port("b", None)]
                    )
                )
            ],
            [TRUE],
        ),
        "'Frob' of 'com.evil'",
    ),
    "unknown standard operator": (lambda: file([node("Frob", "x", "y")]), "No Op registered"),
    "function that calls itself": (
        lambda: with_functions([function("F", [call("F")])], "F"),
        "calls itself",
    ),
    "functions that call each other": (
        lambda: with_functions([function("F", [call("G")]), function("G", [call("F")])], "F"),
        "calls itself",
    ),
    "functions that double 60 times": (lambda: doubling(60), "written out|more than 32 deep"),
    "functions that double 25 times": (lambda: doubling(25), "written out"),
    "chain of 100 functions": (lambda: chain(100), "more than 32 deep"),
    "2,000 functions": (lambda: chain(2000), "2,000 functions"),
    # Too much of something.
    "graphs 10 deep": (lambda: nested(10), "more than 8 deep"),
    "graphs 100 deep": (lambda: nested_by_bytes(100), "nested without end"),
    "1,000,000 nodes": (
        lambda: proto([RELU]).SerializeToString() + field(7, field(1, b"") * 1_000_000),
        "1,000,001 nodes",
    ),
    "200,000 initializers": (
        lambda: proto([RELU]).SerializeToString() + field(7, field(5, b"\x10\x01") * 200_000),
        "200,000 initializers",
    ),
    "10,000 inputs": (
        lambda: file([RELU], inputs=[port(f"x{at}", OPEN) for at in range(10_000)]),
        "10,000 inputs",
    ),
    "10,000 outputs": (
        lambda: file([RELU], outputs=[port(f"y{at}", OPEN) for at in range(10_000)]),
        "10,000 outputs",
    ),
    "100 MB of metadata": (lambda: with_metadata(100_000_000), "bytes of metadata"),
    "name of 10 MB": (lambda: file([RELU], outputs=[port("y" * 10**7, None)]), "too long"),
    "input of 30 gigapixels": (
        lambda: file([RELU], inputs=[port("x", [1, 3, 100_000, 100_000])]),
        "fixes the sizes",
    ),
    # Lies, and what does not fit.
    "negative size of an input": (
        lambda: file([RELU], inputs=[port("x", [-1, 3, 8, 8])]),
        "fixes the sizes",
    ),
    "shape larger than its bytes": (lambda: lying(dims=[1000], raw_data=bytes(16)), "holds 16"),
    "shape smaller than its bytes": (lambda: lying(dims=[1], raw_data=bytes(4000)), "4,000"),
    "shape that its numbers lack": (lambda: lying(dims=[2**40], float_data=[1.0]), "holds 1 "),
    "negative shape": (lambda: lying(dims=[-4], raw_data=bytes(16)), "none is negative"),
    "shape of 2^126 numbers": (lambda: lying(dims=[2**62, 2**62, 4], raw_data=b""), "holds 0"),
    "shape of 40 sizes": (lambda: lying(dims=[1] * 40, raw_data=bytes(4)), "at most 8"),
    "numbers of an unknown kind": (
        lambda: changed(lambda model: model.graph.initializer.add(name="w", data_type=99)),
        "unknown kind",
    ),
    "piece of a tensor": (
        lambda: changed(lambda model: model.graph.initializer.add(name="w").segment.SetInParent()),
        "piece of a tensor",
    ),
    "name that is no text": (
        lambda: (
            proto([RELU]).SerializeToString() + field(14, field(1, b"\xff\xfe") + field(2, b""))
        ),
        "no text|cannot be parsed",
    ),
    "no graph": (lambda: changed(lambda model: model.ClearField("graph")), "no graph"),
    "no opset": (lambda: changed(lambda model: model.ClearField("opset_import")), "no opset"),
    "no inputs": (
        lambda: file([node("Identity", "w", "y")], [weights("w", 1, 5)], inputs=[]),
        "0 inputs",
    ),
    "no outputs": (lambda: file([RELU], outputs=[]), "0 outputs"),
    "same name twice": (lambda: file([RELU, RELU]), "Duplicate definition"),
    "cycle": (
        lambda: file([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a", "y")]),
        "not acyclic",
    ),
    "input that nobody makes": (lambda: file([node("Add", "x nobody", "y")]), "nobody"),
    "opset 9999": (lambda: file([RELU], opset=9999), "opset 9999, which is newer"),
    "format 99": (
        lambda: changed(lambda model: setattr(model, "ir_version", 99)),
        "IR version: 99",
    ),
    "kernel for other channels": (
        lambda: file([node("Conv", "x w", "y")], [weights("w", 4, 7, 3, 3)]),
        "does not run.*kernel channels: 7",
    ),
    "matrices that do not fit": (
        lambda: file([node("Flatten", "x", "f"), node("MatMul", "f w", "y")], [weights("w", 7, 2)]),
        "does not run",
    ),
    "weights that are NaN": (
        lambda: file(
            [node("Conv", "x w b", "y")],
            [weights("w", 1, 3, 1, 1), helper.make_tensor("b", FLOAT, [1], [float("nan")])],
        ),
        "not a number",
    ),
    "logarithm of a black picture": (lambda: file([node("Log", "x", "y")]), "not a number"),
    "input of texts": (
        lambda: identity(TensorProto.STRING),
        r"tensor\(string\), and only",
    ),
    "input of a list": (
        lambda: file(
            [node("SequenceLength", "x", "y")],
            inputs=[typed(_LIST)],
            outputs=[port("y", None, TensorProto.INT64)],
        ),
        r"seq\(.*and only tensors",
    ),
    "input that may be missing": (
        lambda: file(
            [node("OptionalHasElement", "x", "y")],
            inputs=[typed(_MAYBE)],
            outputs=[port("y", None, TensorProto.BOOL)],
            opset=18,
        ),
        r"optional\(.*and only tensors",
    ),
    "output of a list": (
        lambda: file([node("SequenceConstruct", "x", "y")], outputs=[typed(_LIST, "y")]),
        r"seq\(.*and only tensors",
    ),
    "picture of int64": (
        lambda: identity(TensorProto.INT64),
        r"tensor\(int64\), and pictures",
    ),
    "picture of int8": (
        lambda: identity(TensorProto.INT8),
        r"tensor\(int8\), and pictures",
    ),
}

_TOO_LARGE, _TOO_LONG = "too much memory", "takes longer than"

CONTAINED: Table = {
    "loop without end": (
        lambda: file([loop([node("Identity", "s_in", "s_out")])], LOOP_INPUTS),
        _TOO_LONG,
    ),
    "loop that doubles what it holds": (
        lambda: file(
            [loop([node("Concat", "s_in s_in", "s_out", axis=0)])],
            [LOOP_INPUTS[0], TRUE, helper.make_tensor("start", FLOAT, [4], [1.0] * 4)],
        ),
        _TOO_LARGE,
    ),
    "ConstantOfShape of 2^40": (
        lambda: bomb(node("ConstantOfShape", "s", "c"), initializers=[_HUGE]),
        _TOO_LARGE,
    ),
    "Expand to 2^40": (
        lambda: bomb(node("Expand", "one s", "c"), initializers=[_HUGE, scalar("one", 1.0, FLOAT)]),
        _TOO_LARGE,
    ),
    "Tile to 2^29": (
        lambda: bomb(
            node("Tile", "one t", "c"),
            initializers=[
                whole("t", 2**14, 2**15),
                helper.make_tensor("one", FLOAT, [1, 1], [1.0]),
            ],
        ),
        _TOO_LARGE,
    ),
    "RandomNormal of 2^40": (
        lambda: bomb(node("RandomNormal", "", "c", shape=[2**20, 2**20])),
        _TOO_LARGE,
    ),
    "Range to 2^40": (
        lambda: bomb(
            node("Range", "zero end one", "r"),
            node("Cast", "r", "c", to=FLOAT),
            initializers=[scalar("zero", 0), scalar("end", 2**40), scalar("one", 1)],
        ),
        _TOO_LARGE,
    ),
    "Pad by 2^40": (
        lambda: bomb(
            node("Pad", "x p", "c"), initializers=[whole("p", 0, 0, 2**20, 2**20, 0, 0, 0, 0)]
        ),
        _TOO_LARGE,
    ),
    "Resize by 10,000": (
        lambda: bomb(
            helper.make_node("Resize", ["x", "", "k"], ["c"]),
            initializers=[helper.make_tensor("k", FLOAT, [4], [1.0, 1.0, 1e4, 1e4])],
        ),
        _TOO_LARGE,
    ),
    "kernel of a gigapixel": (
        lambda: bomb(
            node("ConstantOfShape", "s", "k"),
            node("Conv", "x k", "c"),
            initializers=[whole("s", 1, 3, 2**15, 2**15)],
        ),
        _TOO_LARGE,
    ),
}

TABLE: Table = {**REFUSED, **CONTAINED}
