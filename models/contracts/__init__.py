"""What a caller may send to a task, and what comes back: parameters and predictions as schemas.

Needs no torch: the API checks parameters with this before a job exists. A new task is one file
with its parameters and its prediction, and one line in `CONTRACTS`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.contracts.classification import ClassificationParams, ClassPrediction
from models.contracts.detection import BoxPrediction, DetectionParams
from models.contracts.embedding import EmbeddingParams, EmbeddingPrediction
from models.contracts.segmentation import MaskPrediction, SegmentationParams
from models.contracts.video_classification import VideoClassificationParams, VideoPrediction
from models.contracts.zero_shot_classification import ZeroShotParams, ZeroShotPrediction
from models.records.decoding import EXACT
from models.records.errors import ParamsError, RecordError
from models.records.windows import window_of

# Of a text that was meant for a list, in the message about it.
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Contract:
    """A task's two schemas."""

    params: type[BaseModel]
    prediction: type[BaseModel]


CONTRACTS: Mapping[str, Contract] = {
    "classification": Contract(ClassificationParams, ClassPrediction),
    "detection": Contract(DetectionParams, BoxPrediction),
    "segmentation": Contract(SegmentationParams, MaskPrediction),
    "embedding": Contract(EmbeddingParams, EmbeddingPrediction),
    "video-classification": Contract(VideoClassificationParams, VideoPrediction),
    "zero-shot-classification": Contract(ZeroShotParams, ZeroShotPrediction),
}


def check_params(
    task: str,
    params: Mapping[str, Any],
    labels: Sequence[str] | None = None,
    preprocess: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return `params` with defaults filled in; raises ParamsError naming the first bad one.

    With the `labels` of the model's record, names of classes are held against them too; with its
    `preprocess`, so are windows of videos against those that it takes.
    """
    try:
        checked = contract_of(task).params.model_validate(dict(params)).model_dump()
    except ValidationError as err:
        first = err.errors()[0]
        param = ".".join(str(part) for part in first["loc"]) or "params"
        known = ", ".join(contract_of(task).params.model_fields)
        raise ParamsError(
            f"Parameter {param!r} of task {task!r} is refused: {_reason(first, param)}. "
            f"The task takes: {known}.",
            param=param,
        ) from err
    if labels is not None:
        _check_classes(checked.get("classes") or (), labels)
    if preprocess is not None and "window" in checked:
        window_of(preprocess, checked)
    return checked


def inherited_params(task: str, pinned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job over the items of another takes over from that one's checked params.

    How pictures are read: two models' answers are to differ by the models alone. Jobs from before
    there was a choice read every pixel.
    """
    has_choice = "decode" in contract_of(task).params.model_fields
    return {"decode": pinned.get("decode", EXACT)} if has_choice else {}


def params_schema(task: str) -> dict[str, Any]:
    """Return the JSON schema of a task's parameters."""
    return contract_of(task).params.model_json_schema()


def result_schema(task: str) -> dict[str, Any]:
    """Return the JSON schema of a succeeded item's `predictions`."""
    return {"type": "array", "items": contract_of(task).prediction.model_json_schema()}


def prediction_of(task: str | None) -> type[BaseModel] | None:
    """Return the schema of one of a task's predictions; None for a job that does no task."""
    return None if task is None else contract_of(task).prediction


def contract_of(task: str) -> Contract:
    """Return a task's schemas; raises RecordError for a task that does not exist."""
    try:
        return CONTRACTS[task]
    except KeyError:
        raise RecordError(
            f"There is no task {task!r}; there are: {', '.join(CONTRACTS)}."
        ) from None


def _reason(fault: ErrorDetails, param: str) -> str:
    """Say what is wrong with a parameter; of a text in place of a list, how a list is written."""
    given = fault["input"]
    if fault["type"] != "list_type" or not isinstance(given, str):
        return fault["msg"]
    names = [each.strip() for each in given[:_SHOWN_CHARACTERS].split(",") if each.strip()]
    written = json.dumps(names or ["cat", "dog"], ensure_ascii=False)
    return (
        f"it is a text, and a list is wanted, as JSON: {written} "
        f"(on the command line --param '{param}={written}')"
    )


def _check_classes(wanted: Sequence[str], labels: Sequence[str]) -> None:
    """Refuse a class that the model does not know; raises ParamsError with the nearest names."""
    for name in wanted:
        if name not in labels:
            near = get_close_matches(name, labels) or labels[:5]
            raise ParamsError(
                f"Parameter 'classes' names {name!r}, which this model does not know; did you mean "
                f"one of {', '.join(map(repr, dict.fromkeys(near)))}? The model's `labels` list "
                "them all.",
                param="classes",
            )
