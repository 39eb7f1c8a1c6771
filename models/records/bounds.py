"""How much of everybody's memory one record may ask for, and of the cores. Needs no torch.

A record comes from a stranger, or is read from a stranger's file, and is run by a worker that
others share.
"""

from collections.abc import Mapping
from typing import Any

from models.records.errors import RecordError
from models.records.record import Limits, ModelRecord

# Seconds of a core for one sample from which on a network is heavy, and computes alone with all
# cores; light ones compute beside others with one. Ten times what it takes to decode a photo.
HEAVY_S = 0.02
# A batch of larger pictures would take gigabytes of everybody's memory.
_MOST_BATCH_PIXELS = 16_000_000
# Of tasks that give a score for every class at every place.
_MOST_LABELS_OF_PLACES = 1000


def check_bounds(record: ModelRecord) -> None:
    """Refuse a record whose batches would take more memory than is fair; raises RecordError."""
    scores_places = record.task in ("detection", "segmentation")
    if scores_places and len(record.labels) > _MOST_LABELS_OF_PLACES:
        raise RecordError(
            f"`labels` has {len(record.labels):,} names; {record.task} takes at most "
            f"{_MOST_LABELS_OF_PLACES:,}.",
            param="labels",
        )
    # A picture lies in memory as a whole; only videos are read piece by piece.
    if record.input_kind == "image" and record.limits.max_bytes > Limits().max_bytes:
        raise RecordError(
            f"`limits.max_bytes` is {record.limits.max_bytes:,}; a picture may have at most "
            f"{Limits().max_bytes:,} bytes.",
            param="limits.max_bytes",
        )
    pixels = sample_pixels(record.preprocess)
    if record.max_batch * pixels > _MOST_BATCH_PIXELS:
        raise RecordError(
            f"`max_batch`: {record.max_batch} samples of {pixels:,} pixels are too much for one "
            f"batch; {_MOST_BATCH_PIXELS // pixels} are not.",
            param="max_batch",
        )


def within_bounds(max_batch: int, preprocess: Mapping[str, Any]) -> int:
    """Give the batch that is fair for such samples: `max_batch`, or what fits."""
    return max(1, min(max_batch, _MOST_BATCH_PIXELS // sample_pixels(preprocess)))


def sample_pixels(preprocess: Mapping[str, Any]) -> int:
    """Give the pixels of one sample: a picture, or the frames of a window."""
    height, width = _sides(preprocess)
    return max(1, int(preprocess.get("window", 1)) * height * width)


def _sides(preprocess: Mapping[str, Any]) -> tuple[int, int]:
    for whole in ("fixed", "letterbox", "crop"):
        sides = preprocess.get(whole)
        if sides is not None:
            height, width = (sides, sides) if isinstance(sides, int) else sides
            return height, width
    shorter = preprocess.get("shorter", 1)
    return shorter, preprocess.get("longer") or shorter
