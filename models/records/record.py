"""A model's record: all that is needed to run one version of a model, except its weights.

Plain data, so that it can lie in a database row and travel as JSON. Needs no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, TypeVar

from models.records.errors import RecordError

Spec = TypeVar("Spec")

# The wall that OpenCV itself keeps (see models/media/opencv.py). No record may promise more.
PIXEL_CEILING = 250_000_000


@dataclass(frozen=True)
class Limits:
    """What one item may be at most. A 108-megapixel phone picture fits the defaults.

    `max_pixels` counts width x height, before and after resizing; `max_bytes` the encoded file.
    """

    max_pixels: int = 110_000_000
    max_bytes: int = 64_000_000


# For networks that take videos: frames of 8K, and some hours of an ordinary film.
VIDEO_LIMITS = Limits(max_pixels=36_000_000, max_bytes=4 * 2**30)


@dataclass(frozen=True)
class ModelRecord:
    """What a version of a model is.

    `preprocess` is plain JSON data. Where an image is cropped (models.preprocessing): `resize`
    (pixels of the shorter side, or [height, width] whatever its proportions), `crop` (pixels of the
    centred square, or [height, width]), `interpolation` ("bilinear", "bicubic", "nearest"),
    `antialias`, `resize_by` ("torchvision", or "pillow" to the bit), `channels` (1 or 3), `mean`
    and `std` (one number a channel, for values in [0, 1]). Where the whole image counts,
    `whole_pictures` there; for videos, `frames`. `input_kind` is "image" or "video".
    `max_batch` is the batch that the engine starts with. `shard_items` is how many items take
    about 2 to 5 seconds on one CPU core. `metrics` are measured or published figures. `options` is
    what was chosen of an architecture that leaves a choice (models/records/options.py).
    """

    name: str
    task: str
    architecture: str
    labels: tuple[str, ...]
    preprocess: Mapping[str, Any]
    input_kind: str = "image"
    max_batch: int = 32
    shard_items: int = 128
    limits: Limits = field(default_factory=Limits)
    metrics: Mapping[str, float] = field(default_factory=dict)
    description: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a record that could only fail later; raises RecordError."""
        for size in ("max_batch", "shard_items"):
            if getattr(self, size) < 1:
                raise RecordError(f"Model {self.name!r}: {size} must be at least 1.")
        if not 1 <= self.limits.max_pixels <= PIXEL_CEILING or self.limits.max_bytes < 1:
            raise RecordError(
                f"Model {self.name!r}: limits.max_pixels must be 1 to {PIXEL_CEILING:,} "
                "and limits.max_bytes at least 1."
            )

    def parsed(self, read: Callable[[Mapping[str, Any]], Spec]) -> Spec:
        """Return what a task's reader makes of `preprocess`; it is read once for all items."""
        if read not in self._parsed:
            self._parsed[read] = read(self.preprocess)
        spec: Spec = self._parsed[read]
        return spec

    @cached_property
    def _parsed(self) -> dict[object, Any]:
        return {}

    def to_json(self) -> dict[str, Any]:
        """Return the record as a plain dict that `json.dumps` takes."""
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelRecord":
        """Build a record from what `to_json` gave; raises RecordError naming odd fields."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise RecordError(f"A model record has no field {', '.join(unknown)}.")
        try:
            return cls(
                **{
                    **data,
                    "labels": tuple(data["labels"]),
                    "limits": Limits(**data.get("limits", {})),
                }
            )
        except (KeyError, TypeError) as err:
            raise RecordError(f"A model record is incomplete or malformed: {err}.") from err
