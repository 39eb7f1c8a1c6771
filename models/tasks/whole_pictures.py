"""What detection and segmentation share: whole pictures of many shapes, and classes by name.

Samples of one shape run together and others after them: padding a smaller one to the size of its
neighbours would let what else is in a batch change its result.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from models.media.pictures import Picture
from models.preprocessing.preprocess import normalise
from models.preprocessing.whole_pictures import resize_whole, spec_of
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.tasks.task import Sample, stack


def check(record: ModelRecord) -> None:
    """Refuse a record without labels or with unusable preprocessing; raises RecordError."""
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    spec_of(record)


def channels(record: ModelRecord) -> int:
    """Say how many channels a picture is decoded to."""
    return spec_of(record).decoded


def least(record: ModelRecord) -> int | None:
    """Say how far a decoder may scale a picture down (`WholePicture.least`)."""
    return spec_of(record).least


def prepare(record: ModelRecord, picture: Picture) -> Sample:
    """Turn a decoded picture into a sample of the whole of it; raises ImageTooLarge."""
    original = (picture.height, picture.width)
    spec = spec_of(record)
    sample = resize_whole(picture.pixels, spec, record.limits, original)
    return Sample(sample, *original, spec.place(*original))


def blank(record: ModelRecord) -> Sample:
    """Return a black picture of a usual size."""
    spec = spec_of(record)
    height, width = spec.usual_size
    return Sample(torch.zeros(spec.channels, height, width, dtype=spec.dtype), height, width)


def inputs_by_shape(
    record: ModelRecord, samples: Sequence[Sample], device: torch.device
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yield (positions of samples of one shape, their input float32 (B, channels, h, w)).

    No input has more pixels than `max_batch` samples of the usual size.
    """
    shapes: dict[torch.Size, list[int]] = {}
    for position, sample in enumerate(samples):
        shapes.setdefault(sample.pixels.shape, []).append(position)
    spec = spec_of(record)
    most = record.max_batch * spec.usual_size[0] * spec.usual_size[1]
    for shape, alike in shapes.items():
        at_once = max(1, most // (shape[-2] * shape[-1]))
        for start in range(0, len(alike), at_once):
            positions = alike[start : start + at_once]
            batch = stack([samples[position] for position in positions], device)
            yield positions, normalise(batch, spec)


def wanted_ids(record: ModelRecord, params: Mapping[str, Any]) -> list[int] | None:
    """Return the positions of `params["classes"]` among the labels; None when all are wanted."""
    if params["classes"] is None:
        return None
    wanted = set(params["classes"])
    return [class_id for class_id, label in enumerate(record.labels) if label in wanted]
