"""Segmentation: which pixels belong to what, by class (semantic) or by object (instance)."""

from pydantic import BaseModel, Field

from models.contracts.detection import Box, ClassNames
from models.contracts.pictures import PictureParams


class SegmentationParams(PictureParams):
    """Which of the masks that the network found are reported."""

    min_confidence: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Leave out masks below this confidence. Left out: 0.5 for a network that tells "
        "objects apart, none for one that tells classes apart.",
    )
    classes: ClassNames | None = Field(
        default=None,
        description="Report only masks of these classes, by their names. Left out, all but the "
        "background.",
    )
    min_area: int = Field(default=1, ge=1, description="Leave out masks of fewer pixels.")
    max_detections: int = Field(
        default=100, ge=1, le=1000, description="Report at most so many, the most confident."
    )


class Mask(BaseModel):
    """A mask in COCO's compressed run-length form, as pycocotools reads it."""

    size: list[int] = Field(
        min_length=2,
        max_length=2,
        description="Height and width of the upright original image, in pixels.",
    )
    counts: str = Field(description="Lengths of runs of zeros and ones, column by column.")


class MaskPrediction(BaseModel):
    """The pixels of one class in an image, or of one object."""

    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(
        ge=0.0,
        le=1.0,
        description="The object's; for a network that tells classes apart, the mean probability "
        "over the mask's pixels.",
    )
    area: int = Field(ge=1, description="Pixels of the mask.")
    mask: Mask
    box: Box | None = Field(default=None, description="The object's, where objects are told apart.")
