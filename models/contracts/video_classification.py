"""Video classification: what a video shows, as a whole, over time and in each of its windows."""

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from models.records.windows import MAX_WINDOW


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
