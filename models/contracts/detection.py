"""Detection: the objects in an image, each with its box."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.contracts.pictures import PictureParams
from models.records.decoding import FAST

ClassNames = Annotated[list[str], Field(min_length=1, max_length=1000)]


class DetectionParams(PictureParams):
    """Which of the objects that the network found are reported."""

    decode: Literal["fast", "exact"] = Field(
        default=FAST, description=PictureParams.model_fields["decode"].description
    )
    min_confidence: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Leave out objects below this confidence. Networks have a least one of their "
        "own, below which they report nothing.",
    )
    classes: ClassNames | None = Field(
        default=None, description="Report only objects of these classes, by their names."
    )
    nms_iou: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Of two objects of one class whose boxes overlap by more (intersection over "
        "union), report the more confident one. It only thins out what the network's own "
        "choice has left.",
    )
    max_detections: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Report at most so many, the most confident; networks have a most of their "
        "own, often 100.",
    )


class Box(BaseModel):
    """A rectangle in pixels of the upright original image; the origin is its top left corner."""

    x: float = Field(description="Left side.")
    y: float = Field(description="Upper side.")
    width: float = Field(ge=0.0)
    height: float = Field(ge=0.0)


class BoxPrediction(BaseModel):
    """One object in an image."""

    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(ge=0.0, le=1.0)
    box: Box
