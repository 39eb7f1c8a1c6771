"""Embedding: an image as a vector, near to those of images that look alike."""

from pydantic import BaseModel, Field

from models.contracts.pictures import PictureParams


class EmbeddingParams(PictureParams):
    """How vectors are given."""

    normalize: bool = Field(
        default=True,
        description="Scale each vector to length 1 (L2), so that a dot product is a cosine.",
    )


class EmbeddingPrediction(BaseModel):
    """One image's vector; its length is the same for every image of a model."""

    embedding: list[float] = Field(min_length=1)
