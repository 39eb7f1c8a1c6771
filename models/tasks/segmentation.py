"""Segmentation: which pixels belong to what.

Two kinds of networks, told apart by what they give for float32 (B, channels, h, w):

- semantic: scores float32 (B, labels, h, w), which are enlarged to the original and then compared
  (models/answers/class_maps.py): logits, bare or as `{"out": logits}`, or what is enlarged as
  chances, `{"chances": chances}`. One prediction for each class that is present; all masks together
  cover the picture, except for the background, which is reported only where it is asked for by
  name.
- instance: what a detector gives (models/tasks/detection.py), with masks of its boxes or of the
  whole picture. One prediction an object; masks may overlap.

Masks have the size of the upright original.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks, paste_mask_in_image

from models.answers import rle
from models.answers.class_maps import Form, Layers, class_map, kept_layers
from models.answers.enlarging import Window, enlarged_part
from models.answers.numbers import shortest
from models.answers.scores.pixel_scores import BACKGROUNDS
from models.answers.whole_masks import WholeMasks, used_part
from models.records.record import ModelRecord
from models.tasks.detection import Found, choose, describe, read_output
from models.tasks.task import Predictions, Sample, Task
from models.tasks.whole_pictures import (
    blank,
    channels,
    check,
    inputs_by_shape,
    least,
    prepare,
    wanted_ids,
)

_LEAST_INSTANCE_CONFIDENCE = 0.5
_INSIDE = 0.5  # the chance from which on a pixel is the object's, as torchvision's examples have it


def infer(
    record: ModelRecord, module: nn.Module, samples: Sequence[Sample], device: torch.device
) -> list[Layers | Found]:
    """Segment each sample."""
    outputs: dict[int, Layers | Found] = {}
    for positions, batch in inputs_by_shape(record, samples, device):
        given = module(batch)
        if isinstance(given, list):
            for position, output in zip(positions, given, strict=True):
                outputs[position] = read_output(output, samples[position])
            continue
        scores, form = _read_scores(given)
        for position, layers in zip(positions, scores, strict=True):
            outputs[position] = layers_of(layers, samples[position], form)
    return [outputs[position] for position in range(len(samples))]


def postprocess(
    record: ModelRecord, outputs: Sequence[Layers | Found], params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn outputs into masks, the most confident first."""
    predictions = []
    for output in outputs:
        masks = (
            _objects(record, output, params)
            if isinstance(output, Found)
            else _classes(record, output, params)
        )
        predictions.append(list(islice(masks, params["max_detections"])))
    return predictions


def _read_scores(given: Any) -> tuple[torch.Tensor, Form]:
    """Say which scores a network gave for a batch, and in which form they are enlarged."""
    if not isinstance(given, Mapping):
        return given, "logits"
    return (given["chances"], "chances") if "chances" in given else (given["out"], "logits")


def layers_of(scores: torch.Tensor, sample: Sample, form: Form = "logits") -> Layers:
    """Keep the classes of (labels, h, w) that may win; of a letterbox, the part with the picture.

    A place that is partly grey belongs to the picture: what lies beyond says nothing of it.
    """
    size, place = (sample.height, sample.width), sample.inside
    if place is None:
        return kept_layers(scores, form, size)
    down = scores.shape[1] / sample.pixels.shape[-2]
    across = scores.shape[2] / sample.pixels.shape[-1]
    top, left = place.top * down, place.left * across
    height, width = place.height * down, place.width * across
    rows = slice(int(top), math.ceil(top + height))
    columns = slice(int(left), math.ceil(left + width))
    window = Window(top - rows.start, left - columns.start, height, width)
    return kept_layers(scores[:, rows, columns], form, size, window)


def _classes(
    record: ModelRecord, layers: Layers, params: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Give a mask a class, the most confident first."""
    found = class_map(layers)
    wanted = wanted_ids(record, params)
    predictions = []
    for row, class_id in enumerate(layers.class_ids.tolist()):
        label = record.labels[class_id]
        if label in BACKGROUNDS if wanted is None else class_id not in wanted:
            continue
        area = int(found.areas[row])
        if area < max(1, params["min_area"]):
            continue
        # A mean of float32 may pass 1 by a hair.
        mean = np.clip(found.sums[row] / area, 0.0, 1.0)
        confidence = shortest(torch.tensor(mean))
        told = {"class": label, "class_id": class_id, "confidence": confidence}
        if confidence >= (params["min_confidence"] or 0.0):
            mask = rle.encode(found.rows == row)
            predictions.append({**told, "area": area, "mask": mask})
    predictions.sort(key=lambda each: -each["confidence"])
    yield from predictions


def _objects(
    record: ModelRecord, found: Found, params: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Give a mask an object, the most confident first."""
    least = params["min_confidence"]
    least = _LEAST_INSTANCE_CONFIDENCE if least is None else least
    for row in choose(record, found, params, least):
        if found.whole_masks is not None:
            mask, corner = _cut_out(found, found.whole_masks, row)
        else:
            mask, corner = _pasted(found, row)
        area = int(np.count_nonzero(mask))
        if area >= params["min_area"]:
            code = rle.encode(mask, (found.height, found.width), corner)
            yield {**describe(record, found, row), "area": area, "mask": code}


def _cut_out(
    found: Found, masks: WholeMasks, row: int
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Enlarge an object's mask from the sample to the original: as `_pasted` gives it."""
    chances, place = masks.chances(row), found.inside
    if place is not None:
        chances = chances[
            place.top : place.top + place.height, place.left : place.left + place.width
        ]
    used = used_part(chances)
    if used is None:
        return np.zeros((1, 1), bool), (0, 0)
    down, across = found.height / chances.shape[0], found.width / chances.shape[1]
    part = (
        int(used[0] * down),
        int(used[1] * across),
        min(math.ceil(used[2] * down), found.height),
        min(math.ceil(used[3] * across), found.width),
    )
    enlarged = enlarged_part(chances, (found.height, found.width), part)
    return (enlarged >= _INSIDE).numpy(), part[:2]


def _pasted(found: Found, row: int) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Enlarge an object's mask to its box: the part (h, w) of the picture, and its top left corner.

    The pixels are those of torchvision's `paste_masks_in_image`, without the picture around them.
    """
    assert found.masks is not None
    chances, scale = expand_masks(found.masks[row : row + 1, None], padding=1)
    box = expand_boxes(found.boxes[row : row + 1], scale)[0].to(torch.int64)
    x1, y1, x2, y2 = box.tolist()
    left, top = max(x1, 0), max(y1, 0)
    height, width = min(y2 + 1, found.height) - top, min(x2 + 1, found.width) - left
    if height < 1 or width < 1:
        return np.zeros((1, 1), bool), (0, 0)
    shifted = box - torch.tensor([left, top, left, top])
    pasted = paste_mask_in_image(chances[0, 0], shifted, height, width)
    return (pasted >= _INSIDE).numpy(), (top, left)


TASK = Task("segmentation", check, channels, least, prepare, infer, blank, postprocess)
