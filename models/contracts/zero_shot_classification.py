"""Zero-shot classification: which of a job's own labels an image shows."""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from models.contracts.classification import ClassificationParams

MOST_LABELS: Final = 1000
# Labels lie in a job's row and in lists of jobs; the published networks read 64 or 77 tokens.
_LONGEST_LABEL, _LONGEST_TEMPLATE, _MOST_CHARACTERS = 100, 200, 20_000
_PLACE = "{}"
# Control characters and halves of UTF-16 pairs.
_UNREADABLE = ("Cc", "Cs")


def _readable(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "it is blank; write what a picture may show")
    if any(unicodedata.category(each) in _UNREADABLE for each in text):
        raise PydanticCustomError("unreadable", "it has control characters; write plain text")
    return text


Label = Annotated[str, Field(min_length=1, max_length=_LONGEST_LABEL), AfterValidator(_readable)]


class ZeroShotParams(ClassificationParams):
    """What a picture may show, in the caller's words, and how many of it to report."""

    labels: Annotated[list[Label], Field(min_length=1, max_length=MOST_LABELS)] = Field(
        description="What pictures may show, each another text, such as `a cat`."
    )
    template: Annotated[
        str, Field(min_length=len(_PLACE), max_length=_LONGEST_TEMPLATE), AfterValidator(_readable)
    ] = Field(
        default="This is a photo of {}.",
        description="The sentence that each label is put into, at `{}`.",
    )

    @field_validator("labels")
    @classmethod
    def _each_once(cls, labels: list[str]) -> list[str]:
        seen: set[str] = set()
        for label in labels:
            if label in seen:
                raise PydanticCustomError(
                    "repeated", "{label} stands in it twice", {"label": repr(label)}
                )
            seen.add(label)
        if sum(map(len, labels)) > _MOST_CHARACTERS:
            raise PydanticCustomError(
                "too_much_text",
                "all labels together must have at most {most} characters",
                {"most": _MOST_CHARACTERS},
            )
        return labels

    @field_validator("template")
    @classmethod
    def _with_one_place(cls, template: str) -> str:
        if template.count(_PLACE) != 1 or set("{}") & set(template.replace(_PLACE, "")):
            raise PydanticCustomError(
                "place",
                "it must hold {place} exactly once, and no other braces",
                {"place": _PLACE},
            )
        return template


class ZeroShotPrediction(BaseModel):
    """One label that an image may show."""

    name: str = Field(alias="class", description="The label.")
    class_id: int = Field(ge=0, description="Position of the label among the job's `labels`.")
    confidence: float = Field(
        ge=0.0,
        le=1.0,
        description="A share of all the job's labels (CLIP), or the chance of this label alone, "
        "whatever the others are (SigLIP).",
    )
