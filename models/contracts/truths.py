"""What is true of an item, in the words of its task: what answers are held against.

    classification   {"class": "cat"}
    detection        {"boxes": [{"class": "cat", "box": {"x": …, "y": …, "width": …, "height": …}}]}
    segmentation     {"masks": [{"class": "cat", "mask": {"size": [h, w], "counts": "…"}}]}

Boxes and masks are written as answers have them. Masks of one picture do not overlap; a pixel in
none of them is counted nowhere. Needs no torch. A new task is one schema and one line in `TRUTHS`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.contracts.detection import Box
from models.contracts.segmentation import Mask
from models.records.errors import ParamsError, TruthError

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_NEAREST = 3


class ClassTruth(BaseModel):
    """The class of a picture."""

    model_config = _STRICT

    name: str = Field(alias="class")


class TrueBox(Box):
    """Where an object is."""

    model_config = _STRICT


class BoxTruth(BaseModel):
    """One object of a picture."""

    model_config = _STRICT

    name: str = Field(alias="class")
    box: TrueBox


class BoxesTruth(BaseModel):
    """All objects of a picture, of the classes that the model knows."""

    model_config = _STRICT

    boxes: list[BoxTruth]


class TrueMask(Mask):
    """A mask; of its code no number is longer than those of any picture."""

    model_config = _STRICT

    size: list[Annotated[int, Field(ge=1, le=1_000_000)]] = Field(min_length=2, max_length=2)
    counts: str = Field(pattern=r"^([P-o]{0,7}[0-O])*$")


class MaskTruth(BaseModel):
    """The pixels of one class."""

    model_config = _STRICT

    name: str = Field(alias="class")
    mask: TrueMask


class MasksTruth(BaseModel):
    """The pixels of all classes of a picture; those in no mask are counted nowhere."""

    model_config = _STRICT

    masks: list[MaskTruth]


@dataclass(frozen=True)
class TruthContract:
    """A task's truth, how its jobs are run to be measured, and what their callers may not say."""

    schema: type[BaseModel]
    params: Mapping[str, Any]
    fixed: tuple[str, ...]


TRUTHS: Mapping[str, TruthContract] = {
    "classification": TruthContract(ClassTruth, {}, ("min_confidence",)),
    # Average precision asks for every box, however unsure.
    "detection": TruthContract(BoxesTruth, {"min_confidence": 0.0}, ("classes",)),
    # So many classes that none of a picture's is left out.
    "segmentation": TruthContract(MasksTruth, {"max_detections": 1000}, ("classes", "min_area")),
}


def evaluated_params(task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that an evaluation runs with: the caller's, and its own where they lack.

    Raises TruthError for a task that is not evaluated, and ParamsError for a parameter that would
    leave out a part of the answers.
    """
    if task not in TRUTHS:
        raise TruthError(f"it does {task}, which is not evaluated; {', '.join(TRUTHS)} are")
    for name in TRUTHS[task].fixed:
        if name in params:
            raise ParamsError(
                f"Parameter {name!r} would leave out a part of what is to be measured; leave it "
                "out.",
                param=name,
            )
    return {**TRUTHS[task].params, **params}


def read_truth(task: str, value: Mapping[str, Any], labels: Collection[str]) -> dict[str, Any]:
    """Check what is said of an item and give it as it is kept; raises TruthError."""
    try:
        truth = TRUTHS[task].schema.model_validate(dict(value))
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TruthError(f"`{where}`: {first['msg']}") from err
    said = truth.model_dump(by_alias=True)
    for each in (said, *said.get("boxes", ()), *said.get("masks", ())):
        if "class" in each:
            check_class(each["class"], labels)
    return said


def check_class(name: str, labels: Collection[str]) -> None:
    """Refuse a class that a model does not know, with the nearest that it does; TruthError."""
    if name in labels:
        return
    near = dict.fromkeys(get_close_matches(name, labels, _NEAREST) or list(labels)[:_NEAREST])
    nearest = ", ".join(map(repr, near))
    raise TruthError(f"{name[:200]!r} is no class of the model; did you mean {nearest}?")
