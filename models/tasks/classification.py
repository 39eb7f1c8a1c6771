"""Classification: which of the record's labels an image shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from models.answers.numbers import shortest
from models.media.pictures import Picture
from models.preprocessing.preprocess import Preprocessing, normalise, to_sample
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.tasks.task import Predictions, Sample, Task, stack


def check(record: ModelRecord) -> None:
    """Refuse a record without labels or with unusable preprocessing; raises RecordError."""
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    Preprocessing.read(record.preprocess)


def channels(record: ModelRecord) -> int:
    """Say how many channels a picture is decoded to."""
    return record.parsed(Preprocessing.read).decoded


def least(record: ModelRecord) -> int | None:
    """Say how far a decoder may scale a picture down (`Preprocessing.least`)."""
    return record.parsed(Preprocessing.read).least


def prepare(record: ModelRecord, picture: Picture) -> Sample:
    """Turn a decoded picture into a sample, uint8 (channels, *crop); raises ImageTooLarge."""
    spec = record.parsed(Preprocessing.read)
    original = (picture.height, picture.width)
    sample = to_sample(picture.pixels, spec, record.limits, original)
    return Sample(sample, picture.height, picture.width)


def infer(
    record: ModelRecord, module: nn.Module, samples: Sequence[Sample], device: torch.device
) -> torch.Tensor:
    """Run the network on all samples at once: float32 (B, labels)."""
    inputs = normalise(stack(samples, device), record.parsed(Preprocessing.read))
    outputs: torch.Tensor = module(inputs)
    return outputs.float().cpu()


def blank(record: ModelRecord) -> Sample:
    """Return a black picture of the size that the network takes."""
    spec = Preprocessing.read(record.preprocess)
    height, width = spec.crop_size
    return Sample(torch.zeros(spec.channels, height, width, dtype=torch.uint8), height, width)


def postprocess(
    record: ModelRecord, logits: torch.Tensor, params: Mapping[str, Any]
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
        for confidences, class_ids in zip(shortest(best.values), best.indices.tolist(), strict=True)
    ]


TASK = Task("classification", check, channels, least, prepare, infer, blank, postprocess)
