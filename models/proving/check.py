"""What a network is held against: pictures, and what its author's own code answers for each.

    {"against": {"timm": "1.0.29", "torch": "2.15.0"},
     "samples": [{"name": "cat.jpg", "data": "<base64>", "predictions": [{"class_id": 281, …}]}]}

Predictions have the form of results, as far as somebody knows them: a class by `class` or
`class_id`, and what its task gives of `confidence`, `box`, `mask` and `embedding`. Needs no torch.
"""

import base64
import binascii
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from models.contracts.detection import Box
from models.contracts.segmentation import Mask

# Each costs a worker some passes of the network, and they lie in one document.
MOST_SAMPLES = 16
MOST_BYTES = 32 * 2**20
MOST_PREDICTIONS = 1000
_MOST_FLOATS = 16_384
# Shown in the document; `content` decodes it.
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


class Expected(BaseModel):
    """One class, object, mask or vector that the author's code gives."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    name: str | None = Field(None, alias="class", max_length=200)
    class_id: int | None = Field(None, ge=0)
    confidence: float | None = Field(None, ge=0.0, le=1.0)
    box: Box | None = None
    mask: Mask | None = None
    embedding: Annotated[list[FiniteFloat], Field(min_length=1, max_length=_MOST_FLOATS)] | None = (
        None
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.name is None and self.class_id is None and self.embedding is None:
            raise ValueError("it names neither a class nor an embedding")
        return self


class Sample(BaseModel):
    """A picture, and what is expected of it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="How it is called in the answer.")
    data: str = Field(
        min_length=1,
        description="The picture's file, in base64.",
        json_schema_extra={"pattern": _BASE64},
    )
    predictions: list[Expected] = Field(max_length=MOST_PREDICTIONS)

    @model_validator(mode="after")
    def _is_base64(self) -> Self:
        self.content()
        return self

    def content(self) -> bytes:
        """Give the picture's bytes."""
        try:
            return base64.b64decode(self.data, validate=True)
        except binascii.Error as err:
            raise ValueError(f"`data` is not base64: {err}") from err


class Check(BaseModel):
    """Pictures with what the author's own code answers; the worker compares before it accepts."""

    model_config = ConfigDict(extra="forbid")

    against: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=64)]] = (
        Field({}, max_length=8, description="Which code answered: names with versions.")
    )
    # Of the text that came, by which its sender knows the proof as that of this very check.
    digest: str | None = Field(None, max_length=80)
    samples: list[Sample] = Field(min_length=1, max_length=MOST_SAMPLES)
    least_confidence: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="From which confidence on objects were told. Left out: the least that one has.",
    )
