"""A detector that torch exports, from the file to boxes in the original's pixels.

It is no row of the table: of no training, many of its objects are as good as each other.
"""

import pytest
import torch
import torchvision

from benchmarks.parity.compared import blots, png
from benchmarks.parity.onnx_heads.exports import exported, ours
from models.contracts import check_params

LABELS = ["background", "cat", "dog", "bird"]


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
