"""Each head of ONNX files against a decoder that is not ours, on a square input and another."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from benchmarks.parity.answers import MEASURES, Masks, Objects
from benchmarks.parity.compared import (
    CONFIDENCE,
    COSINE,
    LEAST_IOU,
    Measure,
    Row,
    compared,
    largest_difference,
)
from benchmarks.parity.onnx_heads.detectors import DETECTORS, OPTIONS
from benchmarks.parity.onnx_heads.outputs import Found, Size, clipped
from benchmarks.parity.onnx_heads.segmenters import SEGMENTERS
from models.onnx_models.reading.heads.table import HEADS
from models.records.options import OnnxOptions

SOURCE = "ONNX head"
SIZES: Sequence[Size] = ((64, 64), (64, 96))
ORIGINALS: Sequence[Size] = ((300, 300), (411, 300), (211, 640))
# An object's mask of fewer pixels is mostly its edge.
_LEAST_AREA = 500


def _boxes_apart(ours: Objects, theirs: Objects) -> float:
    if not torch.equal(ours.labels, theirs.labels):
        return float("inf")
    return largest_difference(ours.boxes, theirs.boxes)


def _objects_alike(ours: Masks, theirs: Masks) -> float:
    least = 1.0
    for place, (mask, _) in theirs.items():
        if mask.sum() >= _LEAST_AREA:
            mine = ours[place][0] if place in ours else np.zeros_like(mask)
            least = min(least, float((mine & mask).sum() / (mine | mask).sum()))
    return least


_DETECTION = (MEASURES["detection"][0], Measure("boxes in pixels", 1e-4, _boxes_apart))
_OBJECT_MASKS = (
    MEASURES["segmentation"][0],
    Measure("IoU of masks", LEAST_IOU, _objects_alike, is_likeness=True),
)


def rows(names: Sequence[str] = tuple(HEADS)) -> Iterator[Row]:
    """Compare one head after the other."""
    for name in names:
        yield from rows_of(name)


def rows_of(name: str) -> Iterator[Row]:
    """Compare one head; KeyError for one that nobody has written a decoder for."""
    if name in DETECTORS:
        yield from _detector(name)
    elif name in SEGMENTERS:
        yield from _segmenter(name)
    else:
        yield from {"classifier": _classifier, "embedder": _embedder}[name]()


def _detector(name: str) -> Iterator[Row]:
    answers = []
    for size in SIZES:
        for given, options, expected in DETECTORS[name](size):
            found = HEADS[name].decode(given, size, options)
            theirs = [_as_objects(clipped(each, size)) for each in expected]
            ours = [Objects.sorted(each) for each in found]
            answers += list(zip(ours, theirs, strict=True))
    two = answers[0][1], answers[1][1]
    yield from compared(SOURCE, name, HEADS[name].task, _DETECTION, answers, two)


def _as_objects(rows: Sequence[Found]) -> Objects:
    told = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Objects(told[:, 1], told[:, 0].long(), told[:, 2:])


def _segmenter(name: str) -> Iterator[Row]:
    answers = [
        each
        for size in SIZES
        for original in ORIGINALS
        for each in SEGMENTERS[name](size, original)
    ]
    measures = MEASURES["segmentation"] if name == "semantic" else _OBJECT_MASKS
    two = answers[0][1], _turned(answers[0][1])
    yield from compared(SOURCE, name, HEADS[name].task, measures, answers, two)


def _turned(masks: Masks) -> Masks:
    """Give the answer to another picture of the same size: the same one, upside down, unsurer."""
    return {each: (mask[::-1], sure / 2) for each, (mask, sure) in masks.items()}


def _classifier() -> Iterator[Row]:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(1)) * 2
    alone = logits[:, :1]
    both = torch.cat((1 - alone.sigmoid(), alone.sigmoid()), 1)
    probabilities = OnnxOptions(outputs="probabilities")
    cases = [
        (logits, OPTIONS, logits.softmax(1)),
        (logits.softmax(1), probabilities, logits.softmax(1)),
        (logits[..., None, None], OPTIONS, logits.softmax(1)),
        (alone, OPTIONS, both),
        (alone.sigmoid(), probabilities, both),
    ]
    answers = [
        (_decoded("classifier", [given], options).softmax(1), expected)
        for given, options, expected in cases
    ]
    two = answers[0][1][0], answers[0][1][1]
    yield from compared(SOURCE, "classifier", "classification", [CONFIDENCE], answers, two)


def _embedder() -> Iterator[Row]:
    vectors = torch.randn(4, 32, generator=torch.Generator().manual_seed(2))
    sequence = torch.randn(4, 5, 32, generator=torch.Generator().manual_seed(3))
    answers = []
    for given in ([vectors], [sequence, vectors], [vectors[..., None, None]]):
        found = _decoded("embedder", given)
        answers += list(zip(found, vectors, strict=True))
    two = vectors[0], vectors[1]
    yield from compared(SOURCE, "embedder", "embedding", [COSINE], answers, two)


def _decoded(
    name: str, given: Sequence[torch.Tensor], options: OnnxOptions = OPTIONS
) -> torch.Tensor:
    found = HEADS[name].decode(given, SIZES[0], options)
    assert isinstance(found, torch.Tensor)
    return found
