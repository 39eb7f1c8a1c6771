"""Small ONNX files that tests make: what they answer is known beforehand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def brightness_onnx(size: int = 32) -> bytes:
    """Give a classifier of two labels, dark and bright: the mean of a picture, times ten."""
    weights = np.array([[-10.0, 10.0]] * 3, np.float32) / 3
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(
        onnx.ModelProto.SerializeToString(
            helper.make_model(graph, opset_imports=opsets, ir_version=9)
        )
    )
