"""What of a picture's predictions a job's parameters leave, for those of an operator's own.

Its function may give everything that it found: callers' parameters hold all the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn
from torchvision.ops import batched_nms

from models.answers.numbers import shortest
from models.tasks.task import Predictions

Params = Mapping[str, Any]

# Of masks that are objects, as Pixelmill's own task has it; classes of pixels have none.
_LEAST_OBJECT_CONFIDENCE = 0.5


def chosen(task: str, predictions: Predictions, params: Params) -> Predictions:
    """Give those that the parameters leave, the most confident first."""
    return _CHOOSERS[task](predictions, params)


def _classes(predictions: Predictions, params: Params) -> Predictions:
    return _surest(predictions, params["min_confidence"])[: params["top_k"]]


def _objects(predictions: Predictions, params: Params) -> Predictions:
    kept = _surest(_wanted(predictions, params), params["min_confidence"])
    if params["nms_iou"] is not None and kept:
        sides = torch.tensor([[each["box"][side] for side in _SIDES] for each in kept])
        boxes = torch.cat((sides[:, :2], sides[:, :2] + sides[:, 2:]), 1).float()
        scores = torch.tensor([each["confidence"] for each in kept])
        classes = torch.tensor([each["class_id"] for each in kept])
        best = batched_nms(boxes, scores, classes, params["nms_iou"]).tolist()
        kept = [kept[row] for row in best]
    return kept[: params["max_detections"]]


def _masks(predictions: Predictions, params: Params) -> Predictions:
    def least(each: Mapping[str, Any]) -> float:
        given: float | None = params["min_confidence"]
        usual = _LEAST_OBJECT_CONFIDENCE if each.get("box") is not None else 0.0
        return usual if given is None else given

    large = [each for each in _wanted(predictions, params) if each["area"] >= params["min_area"]]
    sure = [each for each in large if each["confidence"] >= least(each)]
    return _surest(sure, 0.0)[: params["max_detections"]]


def _vectors(predictions: Predictions, params: Params) -> Predictions:
    if not params["normalize"]:
        return predictions
    vectors = [torch.tensor([each["embedding"]], dtype=torch.float32) for each in predictions]
    unit = [shortest(nn.functional.normalize(each, dim=1))[0] for each in vectors]
    return [{**each, "embedding": row} for each, row in zip(predictions, unit, strict=True)]


def _wanted(predictions: Predictions, params: Params) -> Predictions:
    wanted = params["classes"]
    return [each for each in predictions if wanted is None or each["class"] in wanted]


def _surest(predictions: Predictions, least: float) -> Predictions:
    kept = [each for each in predictions if each["confidence"] >= least]
    return sorted(kept, key=lambda each: -each["confidence"])


_SIDES: Final = ("x", "y", "width", "height")
_CHOOSERS: Final[Mapping[str, Callable[[Predictions, Params], Predictions]]] = {
    "classification": _classes,
    "detection": _objects,
    "segmentation": _masks,
    "embedding": _vectors,
}
# The tasks whose answers a module may put together itself: those on pictures.
OF_PICTURES: Final = tuple(_CHOOSERS)
