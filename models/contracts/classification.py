"""Classification: the classes that an image may belong to."""

from pydantic import BaseModel, Field

from models.contracts.pictures import PictureParams


class ClassificationParams(PictureParams):
    """How many classes to report, and from which confidence on."""

    top_k: int = Field(
        default=1, ge=1, le=100, description="Classes to report, at most as many as there are."
    )
    min_confidence: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Leave out classes below this confidence."
    )


class ClassPrediction(BaseModel):
    """One class that an image may belong to."""

    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(ge=0.0, le=1.0, description="Softmax probability.")
