"""Files that torch exports of real networks, from the file to boxes in the original's pixels."""

import io
import warnings

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from models.contracts import check_params
from models.onnx_models.examination.examining import examine
from models.runtime.completion import complete
from models.runtime.network import ImageNetwork
from models.runtime.registry import load

LABELS = ["background", "cat", "dog", "bird"]


def exported(network: torch.nn.Module, example: object, **options: object) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, example, file, opset_version=17, dynamo=False, **options)
    return file.getvalue()


def ours(data: bytes, **asked: object) -> ImageNetwork:
    record = complete({"name": "x", "architecture": "onnx", **asked}, data, examine)
    network = load(record, data)
    assert isinstance(network, ImageNetwork)
    return network


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def blots(height: int, width: int) -> np.ndarray:
    rough = np.random.default_rng(height).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def detector() -> torch.nn.Module:
    torch.manual_seed(3)
    make = torchvision.models.detection.ssdlite320_mobilenet_v3_large
    made = make(weights=None, weights_backbone=None, num_classes=4, detections_per_img=20)
    # As they are made, features die out on their way, and all scores are the same.
    for name, weight in made.named_parameters():
        if weight.dim() == 4 and "regression" not in name:
            torch.nn.init.kaiming_normal_(weight)
    return made.eval()


@pytest.mark.parametrize("size", [(320, 320), (240, 410), (500, 300)])
def test_a_detector_of_torchvision_as_it_is_exported(
    detector: torch.nn.Module, size: tuple[int, int]
) -> None:
    """It takes one picture, and no batch."""
    data = exported(detector, ([torch.rand(3, 320, 320)],), input_names=["image"])
    network = ours(data, labels=LABELS)
    assert network.record.task == "detection"
    pixels = blots(*size)
    with torch.inference_mode():
        tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255
        (expected,) = detector([tensor])
    params = check_params("detection", {"min_confidence": 0.01, "decode": "exact"})
    found = network.forward([network.prepare(png(pixels))] * 2)
    first, second = network.postprocess(found, params)
    assert first == second
    assert len(first) == len(expected["scores"]) > 3
    boxes = torch.tensor([[*each["box"].values()] for each in first])
    boxes[:, 2:] += boxes[:, :2]
    likeness = torchvision.ops.box_iou(boxes, expected["boxes"])
    told = 0
    for row, each in enumerate(first):
        same = (expected["scores"] - each["confidence"]).abs() < 1e-3
        same &= expected["labels"] == each["class_id"]
        told += bool((likeness[row] * same).max() > 0.99)
    # The last of twenty is chosen among many that are as good.
    assert told >= len(first) - 2


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_classifier_of_torchvision(dynamic: bool) -> None:
    torch.manual_seed(5)
    made = torchvision.models.mobilenet_v3_small(num_classes=4).eval()
    options = {"dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}} if dynamic else {}
    data = exported(
        made, torch.zeros(1, 3, 224, 224), input_names=["x"], output_names=["y"], **options
    )
    network = ours(data, labels=LABELS, options={"scale": "imagenet"})
    samples = [network.prepare(png(blots(h, w))) for h, w in ((224, 224), (300, 400), (400, 260))]
    prepare = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.transforms()
    inputs = torch.stack(
        [
            prepare(torch.from_numpy(blots(h, w).copy()).permute(2, 0, 1))
            for h, w in ((224, 224), (300, 400), (400, 260))
        ]
    )
    with torch.inference_mode():
        expected = made(inputs)
    assert torch.allclose(network.forward(samples), expected, atol=1e-3)
