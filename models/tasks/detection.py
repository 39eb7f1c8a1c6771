"""Detection: the objects in an image, each with a box.

A detector takes float32 (B, channels, h, w) and gives, for each picture, a dict: `boxes` float32
(n, 4) as x1 y1 x2 y2 in pixels of the h x w input, `scores` float32 (n,) and `labels` int64 (n,).
Where it segments as well there are `masks`, float32 (n, 1, m, m), of its boxes, or `whole_masks`,
of the whole input (models/answers/whole_masks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision.ops import batched_nms

from models.answers.numbers import shortest
from models.answers.whole_masks import WholeMasks
from models.preprocessing.letterbox import Placement
from models.records.record import ModelRecord
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


@dataclass(frozen=True, slots=True)
class Found:
    """The objects found in one picture, on the CPU.

    boxes: float32 (n, 4), x1 y1 x2 y2 in pixels of the original. scores: float32 (n,). labels:
    int64 (n,). masks: float32 (n, m, m), the chance of each of m x m parts of the box to be the
    object's, where the network tells. whole_masks: the same of the whole sample, in which the
    original lies at `inside`.
    """

    height: int
    width: int
    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None
    whole_masks: WholeMasks | None = None
    inside: Placement | None = None


def infer(
    record: ModelRecord, module: nn.Module, samples: Sequence[Sample], device: torch.device
) -> list[Found]:
    """Find the objects of each sample."""
    found: dict[int, Found] = {}
    for positions, batch in inputs_by_shape(record, samples, device):
        for position, output in zip(positions, module(batch), strict=True):
            found[position] = read_output(output, samples[position])
    return [found[position] for position in range(len(samples))]


def read_output(output: Mapping[str, Any], sample: Sample) -> Found:
    """Bring a detector's output for one picture to the CPU and to the original's pixels."""
    return Found(
        sample.height,
        sample.width,
        boxes=in_original(output["boxes"].float().cpu(), sample),
        scores=output["scores"].float().cpu(),
        labels=output["labels"].cpu(),
        masks=output["masks"].float().cpu().flatten(0, 1) if "masks" in output else None,
        whole_masks=output.get("whole_masks"),
        inside=sample.inside,
    )


def in_original(boxes: torch.Tensor, sample: Sample) -> torch.Tensor:
    """Move boxes from the sample to the original; those in a letterbox are clipped to it."""
    height, width = sample.pixels.shape[-2:]
    place = sample.inside
    if place is None:
        down, across = sample.height / height, sample.width / width
        return boxes * torch.tensor([across, down, across, down])
    down, across = sample.height / place.height, sample.width / place.width
    moved = boxes - torch.tensor([place.left, place.top] * 2)
    most = torch.tensor([sample.width, sample.height] * 2, dtype=torch.float32)
    return (moved * torch.tensor([across, down] * 2)).clamp(min=0).minimum(most)


def choose(record: ModelRecord, found: Found, params: Mapping[str, Any], least: float) -> list[int]:
    """Return which objects may be reported, the most confident first, however many."""
    # A foreign network may number classes that its record has no label for.
    labelled = (found.labels >= 0) & (found.labels < len(record.labels))
    kept = labelled & (found.scores >= least)
    if found.inside is not None:
        # What lies beside the picture, in its frame, is nothing of it.
        kept &= (found.boxes[:, 2:] > found.boxes[:, :2]).all(1)
    wanted = wanted_ids(record, params)
    if wanted is not None:
        kept &= torch.isin(found.labels, torch.tensor(wanted, dtype=torch.int64))
    rows = kept.nonzero().flatten()
    rows = rows[found.scores[rows].argsort(descending=True, stable=True)]
    if params.get("nms_iou") is not None:
        best = batched_nms(
            found.boxes[rows], found.scores[rows], found.labels[rows], params["nms_iou"]
        )
        rows = rows[best]
    chosen: list[int] = rows.tolist()
    return chosen


def describe(record: ModelRecord, found: Found, row: int) -> dict[str, Any]:
    """Say of one object what it is and where."""
    class_id = int(found.labels[row])
    box = found.boxes[row]
    x, y, width, height = shortest(torch.cat((box[:2], box[2:] - box[:2])))
    return {
        "class": record.labels[class_id],
        "class_id": class_id,
        "confidence": shortest(found.scores[row]),
        "box": {"x": x, "y": y, "width": width, "height": height},
    }


def postprocess(
    record: ModelRecord, outputs: Sequence[Found], params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn what was found into predictions, the most confident object first."""
    return [
        [
            describe(record, found, row)
            for row in choose(record, found, params, params["min_confidence"])[
                : params["max_detections"]
            ]
        ]
        for found in outputs
    ]


TASK = Task("detection", check, channels, least, prepare, infer, blank, postprocess)
