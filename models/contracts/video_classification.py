"""Video classification: what a video shows, as a whole, over time and in each of its windows."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from models.errors import ParamsError

# Frames of a window, for any network: a window lies in memory as a whole.
MAX_WINDOW = 512

# What one video may be answered with, since it lies in memory as a whole: a number for each window
# and label (256 MB), and the classes that are reported of all windows together.
_MOST_NUMBERS = 64_000_000
_MOST_CLASSES = 1_000_000


class VideoClassificationParams(BaseModel):
    """Which frames are looked at, how they are put into windows, and which classes are reported."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fps: float | None = Field(
        default=None,
        gt=0.0,
        le=240.0,
        description="Frames a second to look at. Left out, with `every_nth` left out too: the "
        "rate that the model was trained with.",
    )
    every_nth: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Look at every n-th frame, whatever the video's rate. Not together with `fps`.",
    )
    window: int | None = Field(
        default=None,
        ge=1,
        le=MAX_WINDOW,
        description="Frames of a window, each of which gets an answer. Left out, as many as the "
        "model was trained with; some models take no other number.",
    )
    overlap: int = Field(
        default=0,
        ge=0,
        lt=MAX_WINDOW,
        description="Frames that a window shares with the one before it; less than `window`.",
    )
    top_k: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Classes to report of each window, at most as many as there are.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Leave out segments, and classes of windows, below this confidence. The "
        "video's own class is always reported.",
    )

    @field_validator("every_nth")
    @classmethod
    def _one_of_two(cls, every_nth: int | None, info: ValidationInfo) -> int | None:
        if every_nth is not None and info.data.get("fps") is not None:
            raise PydanticCustomError("both_given", "give either `fps` or `every_nth`, not both")
        return every_nth

    @field_validator("overlap")
    @classmethod
    def _within_window(cls, overlap: int, info: ValidationInfo) -> int:
        window = info.data.get("window")
        if window is not None and overlap >= window:
            raise PydanticCustomError("no_stride", "it must be less than `window`")
        return overlap


class WindowClass(BaseModel):
    """One class that a window may belong to."""

    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(ge=0.0, le=1.0, description="Softmax probability.")


class Clip(BaseModel):
    """One window of a video, and its classes, most confident first."""

    start_ms: int = Field(ge=0, description="Milliseconds from the video's beginning.")
    end_ms: int = Field(ge=0)
    predictions: list[WindowClass]


class Segment(BaseModel):
    """A stretch of a video in which the most confident class stays the same."""

    start_ms: int = Field(ge=0, description="Milliseconds from the video's beginning.")
    end_ms: int = Field(
        ge=0,
        description="Where the next segment begins at the latest: segments do not overlap. Where "
        "windows do, the border is the middle of what they share.",
    )
    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(
        ge=0.0, le=1.0, description="The mean of the class's probability over the windows."
    )


class VideoPrediction(BaseModel):
    """What one video shows. `predictions` of an item holds exactly one of these."""

    name: str = Field(alias="class", description="The class of the whole video, by its name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(
        ge=0.0, le=1.0, description="The mean of the class's probability over all windows."
    )
    segments: list[Segment]
    clips: list[Clip]


def window_of(preprocess: Mapping[str, Any], params: Mapping[str, Any]) -> int:
    """Return the frames of a window, from checked params and a record's `preprocess`.

    Raises ParamsError for a window that the model does not take, or that its overlap fills.
    """
    length: int = params["window"] or preprocess["window"]
    least, most = preprocess["windows"]
    if not least <= length <= most:
        takes = f"{least}" if least == most else f"{least} to {most}"
        raise ParamsError(
            f"Parameter 'window' is {length}; this model takes windows of {takes} frames.",
            param="window",
        )
    if params["overlap"] >= length:
        raise ParamsError(
            f"Parameter 'overlap' is {params['overlap']}; it must be less than the {length} frames "
            "of a window.",
            param="overlap",
        )
    return length


def most_windows(labels: int, params: Mapping[str, Any]) -> int:
    """Return how many windows one video may have, from checked params; at least one."""
    reported: int = min(params["top_k"], labels)
    return max(1, min(_MOST_NUMBERS // labels, _MOST_CLASSES // reported))
