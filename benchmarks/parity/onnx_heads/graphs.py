"""Decoders that are ONNX graphs: what heads do, written once more in operators of the standard.

The graphs end in NonMaxSuppression and are run by onnxruntime: nothing of ours is in them.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LEAST, IOU = 0.25, 0.45


def session(nodes, inputs, outputs, constants):
    """Make a graph, and open it with onnxruntime."""
    graph = helper.make_graph(
        nodes,
        "decoder",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def node(kind, inputs, outputs, **attributes):
    """Make a node; names stand in one text, with blanks between."""
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


CONSTANTS = {
    "most": np.array([1000], np.int64),
    "iou": np.array([IOU], np.float32),
    "least": np.array([LEAST], np.float32),
}
# Of scores (B, C, N), only that of the best class of each box is left.
BEST_CLASS = [
    node("ReduceMax", "scores", "best", axes=[1], keepdims=1),
    node("Equal", "scores best", "is_best"),
    node("Cast", "is_best", "share", to=TensorProto.FLOAT),
    node("Mul", "scores share", "told"),
]


def choose(scores, center=1):
    """Make the node that thins out; `center` as NonMaxSuppression has it."""
    return node(
        "NonMaxSuppression",
        f"boxes {scores} most iou least",
        "chosen",
        center_point_box=center,
    )


OUTPUTS = [
    ("chosen", TensorProto.INT64, ["k", 3]),
    ("boxes", TensorProto.FLOAT, ["b", "n", 4]),
    ("scores", TensorProto.FLOAT, ["b", "c", "n"]),
]


def yolo():
    """(B, 4 + C, N), as Ultralytics describes it."""
    nodes = [
        node("Slice", "raw zero four one", "sides"),
        node("Slice", "raw four end one", "scores"),
        node("Transpose", "sides", "boxes", perm=[0, 2, 1]),
        *BEST_CLASS,
        choose("told"),
    ]
    return session(nodes, [_input(3)], OUTPUTS, {**CONSTANTS, **_cuts(1)})


def yolo_anchors():
    """(B, N, 5 + C), as YOLOv5 describes it."""
    nodes = [
        node("Slice", "raw zero four two", "boxes"),
        *_times_object(),
        *BEST_CLASS,
        choose("told"),
    ]
    return session(nodes, [_input(3)], OUTPUTS, {**CONSTANTS, **_cuts(2)})


def yolox(height, width):
    """(B, N, 5 + C) in cells: (xy + grid) * stride, exp(wh) * stride."""
    grids, strides = [], []
    for stride in (8, 16, 32):
        for row in range(height // stride):
            for column in range(width // stride):
                grids.append((column, row))
                strides.append((stride,))
    nodes = [
        node("Slice", "raw zero two two", "xy"),
        node("Slice", "raw two four two", "wh"),
        node("Add", "xy grids", "moved"),
        node("Mul", "moved strides", "middles"),
        node("Exp", "wh", "grown"),
        node("Mul", "grown strides", "lengths"),
        node("Concat", "middles lengths", "boxes", axis=2),
        *_times_object(),
        *BEST_CLASS,
        choose("told"),
    ]
    cells = {"grids": np.array(grids, np.float32), "strides": np.array(strides, np.float32)}
    return session(nodes, [_input(3)], OUTPUTS, {**CONSTANTS, **_cuts(2), **cells})


def ssd(height, width):
    """Corners as shares, scores (B, N, C) with a background first; a class each of an anchor."""
    nodes = [
        node("Mul", "shares sides", "boxes"),
        node("Slice", "raw one end two", "classes"),
        node("Transpose", "classes", "scores", perm=[0, 2, 1]),
        choose("scores", center=0),
    ]
    shares = ("shares", TensorProto.FLOAT, ["b", "n", 4])
    sides = {"sides": np.array([width, height, width, height], np.float32)}
    return session(nodes, [_input(3), shares], OUTPUTS, {**CONSTANTS, **_cuts(2), **sides})


def _times_object():
    return [
        node("Slice", "raw four five two", "object"),
        node("Slice", "raw five end two", "classes"),
        node("Mul", "classes object", "products"),
        node("Transpose", "products", "scores", perm=[0, 2, 1]),
    ]


def _input(rank):
    return ("raw", TensorProto.FLOAT, [f"side{place}" for place in range(rank)])


def _cuts(axis):
    ends = {"zero": 0, "one": 1, "two": 2, "four": 4, "five": 5, "end": 2**31}
    cuts = {name: np.array([value], np.int64) for name, value in ends.items()}
    # The third word of a Slice is its axis; a graph names it by its number.
    assert cuts["one" if axis == 1 else "two"] == axis
    return cuts


def objects(decoder, **inputs):
    """Run a decoder: for each picture a sorted list of (class, score, x1, y1, x2, y2)."""
    chosen, boxes, scores = decoder.run(None, {k: v.astype(np.float32) for k, v in inputs.items()})
    found = [[] for _ in boxes]
    centred = "shares" not in inputs
    for picture, label, row in chosen:
        x, y, right, bottom = (float(side) for side in boxes[picture, row])
        if centred:
            x, y, right, bottom = x - right / 2, y - bottom / 2, x + right / 2, y + bottom / 2
        found[picture].append((int(label), float(scores[picture, label, row]), x, y, right, bottom))
    return [sorted(each, key=lambda row: -row[1]) for each in found]
