"""Classification: which of the record's labels an image shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from models.decode import decode
from models.errors import RecordError
from models.preprocess import Preprocessing, normalise, to_sample
from models.record import ModelRecord
from models.tasks.task import Outputs, Predictions, Sample, Task


def check(record: ModelRecord) -> None:
    """Refuse a record without labels or with unusable preprocessing; raises RecordError."""
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    Preprocessing.read(record.preprocess)


def prepare(record: ModelRecord, data: bytes) -> Sample:
    """Turn an encoded image into uint8 (channels, crop, crop); raises InputError."""
    spec = Preprocessing.read(record.preprocess)
    pixels = decode(data, spec.channels, record.limits)
    return to_sample(pixels, spec, record.limits)


def collate(samples: Sequence[Sample]) -> torch.Tensor:
    """Stack equal samples to uint8 (B, channels, crop, crop)."""
    return torch.stack(list(samples))


def to_input(record: ModelRecord, batch: torch.Tensor) -> torch.Tensor:
    """Normalise a batch on the device where it lies: float32 (B, channels, crop, crop)."""
    return normalise(batch, Preprocessing.read(record.preprocess))


def blank(record: ModelRecord) -> Sample:
    """Return a black picture of the size that the network takes."""
    spec = Preprocessing.read(record.preprocess)
    return torch.zeros(spec.channels, spec.crop, spec.crop, dtype=torch.uint8)


def postprocess(
    record: ModelRecord, logits: Outputs, params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn logits (B, labels) into each sample's best classes, most confident first.

    `params` as `check_params` gives them: `top_k` is capped by the number of labels, and classes
    below `min_confidence` are left out, so that a sample's list may be empty.
    """
    shares = logits.float().softmax(dim=1)
    best = shares.topk(min(params["top_k"], len(record.labels)), dim=1)
    return [
        [
            {"class": record.labels[class_id], "class_id": class_id, "confidence": confidence}
            for confidence, class_id in zip(confidences, class_ids, strict=True)
            if confidence >= params["min_confidence"]
        ]
        for confidences, class_ids in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


TASK = Task(
    name="classification",
    check=check,
    prepare=prepare,
    collate=collate,
    normalise=to_input,
    blank=blank,
    postprocess=postprocess,
)
