"""Segmenters' outputs, and the masks of them by rules that are not ours: published, or torch's.

Outputs go through head and task, up to masks in the original's pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.parity.answers import Masks, masks_of, masks_told
from benchmarks.parity.onnx_heads import outputs
from benchmarks.parity.onnx_heads.detectors import OPTIONS
from benchmarks.parity.onnx_heads.outputs import Size
from models.contracts import check_params
from models.media.pictures import Picture
from models.onnx_models.reading.heads.table import HEADS
from models.records.options import OnnxOptions
from models.records.record import ModelRecord
from models.tasks import segmentation

LABELS = ("a", "b", "c", "d")
_PLAIN = {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
# Our masks and the rule's, for one picture.
Compared = tuple[Masks, Masks]


class Answering(nn.Module):
    """Answers any batch with the same outputs, through a head."""

    def __init__(self, head: str, given: Sequence[torch.Tensor], options: OnnxOptions) -> None:
        """Keep the outputs."""
        super().__init__()
        self.head, self.given, self.options = head, given, options

    def forward(self, batch: torch.Tensor) -> Any:
        """Give what the head makes of them."""
        return HEADS[self.head].decode(self.given, tuple(batch.shape[-2:]), self.options)


def predicted(
    head: str,
    given: Sequence[torch.Tensor],
    preprocess: Mapping[str, Any],
    original: Size,
    options: OnnxOptions = OPTIONS,
) -> list[dict[str, Any]]:
    """Give our predictions for a picture of `original` pixels, whose outputs these are."""
    record = ModelRecord("m", "segmentation", "onnx", LABELS, {**_PLAIN, **preprocess})
    picture = Picture(np.zeros((*original, 3), np.uint8), original[1], original[0])
    sample = segmentation.prepare(record, picture)
    network = Answering(head, given, options)
    found = segmentation.infer(record, network, [sample], torch.device("cpu"))
    asked = {"min_confidence": 0.0, "max_detections": 1000}
    params = check_params("segmentation", asked, record.labels)
    return segmentation.postprocess(record, found, params)[0]


def _semantic(size: Size, original: Size) -> list[Compared]:
    """Logits, probabilities of all classes, and of one alone, each enlarged as it is."""
    several = outputs.layers(3, 4, size[0] // 4, size[1] // 4)
    alone = outputs.layers(5, 1, size[0] // 4, size[1] // 4)
    probabilities = OnnxOptions(outputs="probabilities")
    both = torch.cat((1 - alone.sigmoid(), alone.sigmoid()))
    cases = [
        (several, OnnxOptions(), several, True),
        (several.softmax(0), probabilities, several.softmax(0), False),
        (alone, OnnxOptions(), torch.cat((torch.zeros_like(alone), alone)), True),
        (alone.sigmoid(), probabilities, both, False),
    ]
    compared = []
    for given, options, scores, are_logits in cases:
        told = predicted("semantic", (given[None],), {"fixed": [*size]}, original, options)
        whole = nn.functional.interpolate(scores[None], original, mode="bilinear")[0]
        chances = whole.softmax(0) if are_logits else whole
        compared.append((masks_told(told), masks_of(whole, chances)))
    return compared


def published_mask(
    raw: torch.Tensor, layers: torch.Tensor, row: int, size: Size, original: Size
) -> np.ndarray[Any, Any]:
    """Draw one cell's object by the rule that Ultralytics publishes, with NumPy and OpenCV.

    raw: (4 + classes + 8, cells). layers: (8, h / 4, w / 4). size: the input's, letterboxed.
    """
    x, y, w, h = raw[:4, row].tolist()
    mixed = np.tensordot(raw[-8:, row].numpy(), layers.numpy(), 1)
    mask = (1 / (1 + np.exp(-mixed))).astype(np.float32)
    for i, j in np.ndindex(*mask.shape):
        if not (x - w / 2 <= 4 * j < x + w / 2 and y - h / 2 <= 4 * i < y + h / 2):
            mask[i, j] = 0
    enlarged = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR)
    gain = min(size[0] / original[0], size[1] / original[1])
    new_h, new_w = round(original[0] * gain), round(original[1] * gain)
    top, left = round((size[0] - new_h) / 2 - 0.1), round((size[1] - new_w) / 2 - 0.1)
    inner = enlarged[top : top + new_h, left : left + new_w]
    return cv2.resize(inner, original[::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def _yolo_masks(size: Size, original: Size) -> list[Compared]:
    raw, layers = outputs.smooth_masks(4, size=size)
    letterbox = {"letterbox": [*size], "align": "center", "resize_by": "opencv"}
    told = predicted("yolo-masks", (raw[None], layers[None]), letterbox, original)
    scores = raw[4:8].amax(0)
    ours, theirs = {}, {}
    for place, each in enumerate(told):
        row = int((scores - each["confidence"]).abs().argmin())
        ours[place] = masks_told([each])[each["class_id"]]
        theirs[place] = published_mask(raw, layers, row, size, original), float(scores[row])
    return [(ours, theirs)]


def _torchvision_masks(size: Size, original: Size) -> list[Compared]:
    """Masks over the whole input, a chance a pixel, enlarged by torch to the original."""
    chances = outputs.layers(9, 5, *size).sigmoid()
    scores = torch.linspace(0.9, 0.5, len(chances))
    boxes = torch.tensor([[0.0, 0.0, size[1], size[0]]]).expand(len(chances), 4)
    labels = torch.arange(len(chances)) % len(LABELS)
    given = boxes, labels, scores, chances[:, None]
    told = predicted("torchvision-masks", given, {"fixed": [*size]}, original)
    whole = nn.functional.interpolate(chances[None], original, mode="bilinear")[0].numpy()
    ours = {place: masks_told([each])[each["class_id"]] for place, each in enumerate(told)}
    theirs = {
        place: (mask >= 0.5, float(score))
        for place, (mask, score) in enumerate(zip(whole, scores, strict=True))
    }
    return [(ours, theirs)]


SEGMENTERS: Mapping[str, Callable[[Size, Size], list[Compared]]] = {
    "semantic": _semantic,
    "yolo-masks": _yolo_masks,
    "torchvision-masks": _torchvision_masks,
}
