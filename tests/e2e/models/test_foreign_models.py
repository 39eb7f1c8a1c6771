"""Networks of other sources through HTTP: what their own libraries answer to the same files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torchvision.ops import batched_nms

from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import NAMES
from pixelmill import Client, Model
from tests.e2e.models import foreign
from tests.e2e.models.foreign import LABELS
from tests.e2e.stacks import RunningStack, results_of

EVERYTHING = {"top_k": 5, "min_confidence": 0.0}
# (height, width) of the detector's input, which is not square, and its grids.
INPUT, STRIDES = (64, 96), (8, 16, 32)
LEAST = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign.write_pictures(tmp_path_factory.mktemp("pictures") / "files", 16)


def answers(client: Client, model: Model, folder: Path, params: dict[str, Any]) -> list[Any]:
    assert model.state == "ready"
    job = client.submit(folder, model=model.id, params=params)
    client.wait(job, timeout=120).check()
    rows = results_of(client, job.id)
    assert [row["custom_id"] for row in rows] == [path.name for path in sorted(folder.iterdir())]
    return [row["predictions"] for row in rows]


def test_an_onnx_classifier_answers_as_onnxruntime_does(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    data = foreign.exported(foreign.conv_network(), (32, 32))
    (tmp_path / "best.onnx").write_bytes(data)
    with stack.client() as client:
        model = client.push(
            "my/beasts", tmp_path / "best.onnx", labels=LABELS, scale="imagenet", wait=50
        )
        found = answers(client, model, folder, EVERYTHING)
    foreign.check_chances(found, foreign.onnx_chances(data, foreign.read_pictures(folder)))


def test_a_network_of_timm_answers_as_timm_does(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    network, path = foreign.timm_network("test_resnet"), tmp_path / "beasts.safetensors"
    path.write_bytes(foreign.packed(network))
    with stack.client() as client:
        model = client.push(
            "my/timm", path, architecture="timm/test_resnet", labels=",".join(LABELS), wait=50
        )
        found = answers(client, model, folder, EVERYTHING)
    with torch.inference_mode():
        chances = network(foreign.for_timm(network, foreign.read_pictures(folder))).softmax(1)
    foreign.check_chances(found, chances)


def test_a_hugging_face_folder_answers_as_transformers_does(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    (tiny,) = (each for each in TINIES if each.name == "vit")
    saved = tmp_path / "vit-tiny"
    network = tiny.save(saved)
    # By Pillow, as we do; torchvision rounds a twelfth of the pixels by one of 255 elsewhere.
    processor = transformers.ViTImageProcessorPil.from_pretrained(saved)
    batch = processor(images=foreign.read_pictures(folder), return_tensors="pt")["pixel_values"]
    foreign.spread(lambda pixels: network(pixels).logits, network.classifier, batch)
    network.save_pretrained(saved)
    with stack.client() as client:
        model = client.push("my/vit", saved, wait=50)
        found = answers(client, model, folder, EVERYTHING)
    network = transformers.ViTForImageClassification.from_pretrained(saved).eval()
    with torch.inference_mode():
        chances = network(batch).logits.softmax(1)
    foreign.check_chances(found, chances, tuple(NAMES.values()))


class Yolo(torch.nn.Module):
    """Shaped as Ultralytics' export: (n, 3, 64, 96) to (n, 4 + classes, 126 cells)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(11)
        outputs = 4 + len(LABELS)
        self.cells = torch.nn.ModuleList(
            [torch.nn.Conv2d(3, outputs, stride, stride) for stride in STRIDES]
        )
        for each in self.cells:
            torch.nn.init.normal_(each.weight, 0, 4 / each.weight[0].numel() ** 0.5)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found = []
        for stride, cell in zip(STRIDES, self.cells, strict=True):
            down, right = torch.meshgrid(
                *(torch.arange(side // stride) for side in INPUT), indexing="ij"
            )
            told = cell(pictures - 0.5).sigmoid().flatten(2)
            middles = (told[:, :2] * 2 - 0.5 + torch.stack((right, down)).flatten(1)) * stride
            sides = (told[:, 2:4] * 4 + 0.5) * stride
            found.append(torch.cat((middles, sides, told[:, 4:]), 1))
        return torch.cat(found, 2)


def letterboxed(image: Image.Image) -> tuple[np.ndarray, tuple[float, float], tuple[int, int]]:
    """Give (3, 64, 96) in [0, 1] as Ultralytics does, and for x and y the scale and the start."""
    scale = min(INPUT[0] / image.height, INPUT[1] / image.width)
    width, height = round(image.width * scale), round(image.height * scale)
    # A side is a whole number of pixels, so each has a scale of its own.
    scales = width / image.width, height / image.height
    left, top = round((INPUT[1] - width) / 2 - 0.1), round((INPUT[0] - height) / 2 - 0.1)
    sample = np.full((*INPUT, 3), 114, np.uint8)
    resized = cv2.resize(np.array(image), (width, height), interpolation=cv2.INTER_LINEAR)
    sample[top : top + height, left : left + width] = resized
    return sample.transpose(2, 0, 1).astype(np.float32) / 255, scales, (left, top)


def objects(data: bytes, image: Image.Image) -> list[tuple[str, float, list[float]]]:
    """Give class, score and x1 y1 x2 y2 in the picture's own pixels, the surest first."""
    sample, scales, start = letterboxed(image)
    (columns,) = torch.from_numpy(foreign.run_onnx(data, sample[None]))
    scores, labels = columns[4:].max(0)
    middles, sides = columns[:2].T, columns[2:4].T
    boxes = torch.cat((middles - sides / 2, middles + sides / 2), 1)
    boxes, scores, labels = (each[scores >= LEAST] for each in (boxes, scores, labels))
    kept = batched_nms(boxes, scores, labels, 0.7)
    limits = torch.tensor([image.width, image.height] * 2)
    own = (
        ((boxes - torch.tensor(start * 2)) / torch.tensor(scales * 2)).clamp(min=0).minimum(limits)
    )
    # What lies beside the picture, in its frame, is no object of it.
    kept = kept[(own[kept, 2:] > own[kept, :2]).all(1)]
    return [(LABELS[labels[at]], float(scores[at]), own[at].tolist()) for at in kept]


def test_a_detector_with_ultralytics_metadata_finds_its_boxes_in_the_originals_pixels(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    data = foreign.exported(
        Yolo().eval(),
        INPUT,
        author="Ultralytics",
        license="AGPL-3.0 License (https://ultralytics.com/license)",
        names=str(dict(enumerate(LABELS))),
        task="detect",
        imgsz=str([*INPUT]),
        stride="32",
    )
    (tmp_path / "best.onnx").write_bytes(data)
    with stack.client() as client:
        model = client.push("my/parts", tmp_path / "best.onnx", wait=50)
        params = {"min_confidence": LEAST, "max_detections": 300}
        found = answers(client, model, folder, params)
        (card,) = (each for each in client.models() if each.name == "my/parts")
    assert card.raw["provenance"]["author"] == "Ultralytics"
    count = 0
    for mine, image in zip(found, foreign.read_pictures(folder), strict=True):
        theirs = objects(data, image)
        count += len(theirs)
        assert [each["class"] for each in mine] == [name for name, _, _ in theirs]
        for each, (_, score, corners) in zip(mine, theirs, strict=True):
            box = each["box"]
            assert each["confidence"] == pytest.approx(score, abs=1e-3)
            right, bottom = box["x"] + box["width"], box["y"] + box["height"]
            assert [box["x"], box["y"], right, bottom] == pytest.approx(corners, abs=0.01)
    assert count > 100
