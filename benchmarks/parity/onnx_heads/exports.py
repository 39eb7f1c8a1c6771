"""Files that torch exports of torchvision's networks, from the file to the answer.

Each is pushed as anybody pushes it, and held against the network that it was exported from, with
torchvision's own preparation of the pictures.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.transforms import functional as tv

from benchmarks.parity.answers import (
    MEASURES,
    chances_told,
    masks_of,
    masks_told,
)
from benchmarks.parity.compared import (
    SHAPES,
    Pixels,
    Row,
    another,
    compared,
    pictures,
    png,
)
from benchmarks.parity.lively import settle, spread
from models.contracts import check_params
from models.onnx_models.examination.examining import examine
from models.runtime.completion import complete
from models.runtime.network import ImageNetwork
from models.runtime.registry import load

LABELS = ("background", "cat", "dog", "bird")
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_SIDE = 224
# (height, width): a segmenter's input, which is not square.
_INPUT = (128, 192)

Answers = Callable[[Pixels], Any]


def exported(network: nn.Module, example: object, **options: object) -> bytes:
    """Give the file that torch exports."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, example, file, opset_version=17, dynamo=False, **options)
    return file.getvalue()


def ours(data: bytes, **asked: object) -> ImageNetwork:
    """Read a file as a worker does; no walls stand around our own."""
    record = complete({"name": "x", "architecture": "onnx", **asked}, data, examine)
    network = load(record, data)
    assert isinstance(network, ImageNetwork)
    return network


def rows() -> Iterator[Row]:
    """Compare one file after the other."""
    for make in EXPORTS.values():
        yield from make()


def _compared(
    name: str, data: bytes, theirs: Answers, params: Mapping[str, Any], read: Answers, **asked: Any
) -> Iterator[Row]:
    network = ours(data, **asked)
    task, seen = network.record.task, pictures()
    given = check_params(task, params, network.record.labels)
    found = network.forward([network.prepare(png(each)) for each in seen])
    told = [read(each) for each in network.postprocess(found, given)]
    with torch.inference_mode():
        expected, other = [theirs(each) for each in seen], theirs(another(SHAPES[0]))
    answers = list(zip(told, expected, strict=True))
    yield from compared("ONNX file", name, task, MEASURES[task], answers, (expected[0], other))


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _cropped(pixels: Pixels) -> torch.Tensor:
    prepare = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.transforms()
    batch: torch.Tensor = prepare(_tensor(pixels))[None]
    return batch


def _whole(pixels: Pixels) -> torch.Tensor:
    resized = tv.resize(_tensor(pixels), [*_INPUT], antialias=True)
    batch: torch.Tensor = tv.normalize(resized / 255, _MEAN, _STD)[None]
    return batch


def _stacked(prepare: Callable[[Pixels], torch.Tensor]) -> torch.Tensor:
    return torch.cat([prepare(each) for each in (*pictures(), another(SHAPES[0]))])


def _classifier() -> Iterator[Row]:
    torch.manual_seed(5)
    made = torchvision.models.mobilenet_v3_small(num_classes=len(LABELS)).eval()
    seen = _stacked(_cropped)
    settle(made, lambda: made(seen))
    spread([made.classifier[-1]], lambda: made(seen))
    for dynamic in (True, False):
        axes = {"x": {0: "n"}, "y": {0: "n"}} if dynamic else {}
        named = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
        yield from _compared(
            f"mobilenet_v3_small, {'any' if dynamic else 'one'} at a time",
            exported(made, torch.zeros(1, 3, _SIDE, _SIDE), **named),
            lambda pixels: made(_cropped(pixels))[0].softmax(0),
            {"top_k": len(LABELS)},
            chances_told,
            labels=LABELS,
            options={"scale": "imagenet"},
        )


def _embedder() -> Iterator[Row]:
    torch.manual_seed(6)
    whole = torchvision.models.mobilenet_v3_small(weights=None)
    made = nn.Sequential(whole.features, whole.avgpool, nn.Flatten()).eval()
    seen = _stacked(_cropped)
    settle(made, lambda: made(seen))
    yield from _compared(
        "features of mobilenet_v3_small",
        exported(made, torch.zeros(1, 3, _SIDE, _SIDE)),
        lambda pixels: made(_cropped(pixels))[0],
        {"normalize": False},
        lambda predictions: torch.tensor(predictions[0]["embedding"]),
        task="embedding",
        options={"scale": "imagenet"},
    )


class _Small(nn.Module):
    """A segmenter that answers at a quarter of its input's resolution, as SegFormer does."""

    def __init__(self, classes: int, last: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 7, 2, 3), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, classes, 1, bias=False), nn.BatchNorm2d(classes), last,
        )  # fmt: skip

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = self.layers(batch)
        return given


class _Out(nn.Module):
    """The scores of one of torchvision's segmenters, which enlarges them to its input itself."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = self.network(batch)["out"]
        return given


def _segmenters() -> Iterator[Row]:
    torch.manual_seed(8)
    make = torchvision.models.segmentation.lraspp_mobilenet_v3_large
    classes = len(LABELS)
    networks: Sequence[tuple[str, nn.Module, str]] = (
        ("lraspp_mobilenet_v3_large",
         _Out(make(weights=None, weights_backbone=None, num_classes=classes)), "logits"),
        ("a quarter's logits", _Small(classes, nn.Identity()), "logits"),
        ("a quarter's probabilities", _Small(classes, nn.Softmax(1)), "probabilities"),
        ("a quarter's, one class alone", _Small(1, nn.Sigmoid()), "probabilities"),
    )  # fmt: skip
    for name, made, outputs in networks:
        yield from _segmenter(name, made.eval(), outputs)


def _segmenter(name: str, made: nn.Module, outputs: str) -> Iterator[Row]:
    seen = _stacked(_whole)
    settle(made, lambda: made(seen))

    def answer(pixels: Pixels) -> Any:
        scores = made(_whole(pixels))
        scores = torch.cat((1 - scores, scores), 1) if scores.shape[1] == 1 else scores
        whole = nn.functional.interpolate(scores, pixels.shape[:2], mode="bilinear")[0]
        return masks_of(whole, whole.softmax(0) if outputs == "logits" else whole)

    labels = LABELS[:2] if name.endswith("alone") else LABELS
    yield from _compared(
        name,
        exported(made, torch.zeros(1, 3, *_INPUT)),
        answer,
        {"classes": [*labels]},
        masks_told,
        labels=labels,
        options={"scale": "imagenet", "outputs": outputs},
    )


EXPORTS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "classifier": _classifier,
    "embedder": _embedder,
    "semantic": _segmenters,
}
