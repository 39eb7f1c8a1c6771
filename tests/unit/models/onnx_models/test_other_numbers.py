"""Files that take bytes or half precision, against onnxruntime run by hand on the same pixels."""

import io
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from models.contracts import check_params
from models.onnx_models.examination.examining import examine
from models.runtime.completion import complete
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from tests.model_files.models_by_hand import classifier, node, port, proto, scalar, weights

LABELS = ["cat", "dog", "owl", "newt", "crab"]
FLOAT, HALF, BYTES = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
SIDE = 32
IMAGENET = {
    "mean": np.array([0.485, 0.456, 0.406], np.float32)[:, None, None],
    "std": np.array([0.229, 0.224, 0.225], np.float32)[:, None, None],
}


def with_edges(inner: Any, taken: int, given: int) -> bytes:
    """Give a file whose input x and output y are of these kinds, around a float32 network.

    Bytes are brought to [-1, 1] inside.
    """
    for each in inner.graph.node:
        each.input[:] = ["inner_x" if name == "x" else name for name in each.input]
        each.output[:] = ["inner_y" if name == "y" else name for name in each.output]
    scale = 127.5 if taken == BYTES else 1.0
    shift = 1.0 if taken == BYTES else 0.0
    before = [
        node("Cast", "x", "single", to=FLOAT),
        node("Div", "single scale", "scaled"),
        node("Sub", "scaled shift", "inner_x"),
    ]
    nodes = [*before, *inner.graph.node, node("Cast", "inner_y", "y", to=given)]
    constants = [scalar("scale", scale, FLOAT), scalar("shift", shift, FLOAT)]
    graph = helper.make_graph(
        nodes,
        "edges",
        [port("x", ["n", 3, SIDE, SIDE], taken)],
        [port("y", None, given)],
        [*inner.graph.initializer, *constants],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


def segmenter() -> Any:
    return proto([node("Conv", "x w", "y", pads=[1] * 4)], [weights("w", 5, 3, 3, 3)])


def ours(data: bytes, **asked: Any) -> ImageNetwork:
    record = complete({"name": "x", "architecture": "onnx", **asked}, data, examine)
    network = load(record, data)
    assert isinstance(network, ImageNetwork)
    return network


def by_hand(data: bytes, batch: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"x": batch})[0]
    return found


def pictures(side: int = SIDE) -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(4)]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def planes(images: list[np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))


def test_a_classifier_of_bytes_answers_as_onnxruntime_does_and_asks_for_no_scale() -> None:
    data = with_edges(classifier(), BYTES, FLOAT)
    network = ours(data, labels=LABELS)
    assert network.record.preprocess["std"] == [1 / 255] * 3
    assert "0 to 255" in network.record.description
    samples = [network.prepare(png(each)) for each in pictures(50)]
    crops = np.stack([sample.pixels.numpy() for sample in samples])
    assert crops.dtype == np.uint8
    wanted = by_hand(data, crops)
    assert np.ptp(wanted, axis=0).max() > 0.01, "one answer to all shows nothing"
    assert np.array_equal(network.forward(samples).numpy(), wanted)


def test_a_segmenter_of_bytes_is_given_the_pictures_own_bytes() -> None:
    data = with_edges(segmenter(), BYTES, FLOAT)
    network = ours(data, labels=LABELS, task="segmentation")
    images = pictures()
    module = network.module
    batch = torch.from_numpy(planes(images).astype(np.float32)) * (1 + 1e-7)
    assert np.array_equal(module(batch).numpy(), by_hand(data, planes(images)))
    samples = [network.prepare(png(each)) for each in images]
    assert np.array_equal(np.stack([each.pixels.numpy() for each in samples]), planes(images))


@pytest.mark.parametrize(("taken", "given"), [(HALF, HALF), (HALF, FLOAT), (FLOAT, HALF)])
def test_a_classifier_of_half_precision_answers_as_onnxruntime_does(taken: int, given: int) -> None:
    data = with_edges(classifier(), taken, given)
    network = ours(data, labels=LABELS, options={"scale": "imagenet"})
    samples = [network.prepare(png(each)) for each in pictures(50)]
    crops = np.stack([sample.pixels.numpy() for sample in samples]).astype(np.float32) / 255
    batch = (crops - IMAGENET["mean"]) / IMAGENET["std"]
    kind = np.float16 if taken == HALF else np.float32
    wanted = by_hand(data, batch.astype(kind)).astype(np.float32)
    found = network.forward(samples)
    assert found.dtype == torch.float32
    # A last digit of the inputs, which are divided in another order.
    assert np.allclose(found.numpy(), wanted, atol=4e-3 if HALF in (taken, given) else 0)
    told = network.postprocess(found, check_params("classification", {}))
    chances = torch.from_numpy(wanted).softmax(1)
    for row, answers in zip(chances, told, strict=True):
        assert answers[0]["class"] == LABELS[int(row.argmax())]
        assert answers[0]["confidence"] == pytest.approx(float(row.max()), abs=1e-3)


def test_probabilities_of_half_precision_that_are_0_have_a_logarithm() -> None:
    inner = proto(
        [
            node("GlobalAveragePool", "x", "p"),
            node("Flatten", "p", "f"),
            node("Gemm", "f v", "g", alpha=1000.0),
            node("Softmax", "g", "y", axis=1),
        ],
        [weights("v", 3, 5)],
    )
    data = with_edges(inner, HALF, HALF)
    options = {"scale": "unit", "outputs": "probabilities"}
    network = ours(data, labels=LABELS, options=options)
    samples = [network.prepare(png(each)) for each in pictures()]
    told = network.postprocess(network.forward(samples), check_params("classification", {}))
    assert all(0.99 < answers[0]["confidence"] <= 1 for answers in told)
