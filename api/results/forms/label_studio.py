"""Label Studio: a task an item, with the answers as pre-annotations to be mended by hand.

A box is a region of `rectanglelabels`, a mask one of `brushlabels`, in one prediction a picture. Of
classes each is a prediction of its own, a choice with its score: they are alternatives. `data`
holds the item's name, to be put where the pictures are served. Items that were not answered are
tasks without a prediction, and their `meta` says why.

Source: https://labelstud.io/guide/predictions
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from api.results.forms.boxes import inside, rectangle_of
from api.results.forms.brush import brush_of
from jobs.forms.export import (
    NO_SIZE,
    Export,
    chunked,
    fault_of,
    predictions_of,
    separated,
    size_of,
)
from jobs.results.segments import Row, to_json

# What is drawn, and what it is drawn on: `name` and `toName` of the labelling interface.
_LABEL, _CHOICE = "label", "choice"
_PERCENT = 100
_FILMS = "video-classification"
_DRAWN = ("detection", "segmentation")

Region = dict[str, Any]


def write(export: Export) -> Iterator[bytes]:
    """Write one array of tasks on one line."""
    tasks = (to_json(_task(export, row)) for row in export.rows())
    return chunked(chain(["["], separated(tasks), ["]\n"]))


def _task(export: Export, row: Row) -> dict[str, Any]:
    medium = "video" if export.task == _FILMS else "image"
    is_drawn = export.task in _DRAWN
    fault = fault_of(row, NO_SIZE if is_drawn else None)
    found: list[dict[str, Any]] = []
    if fault is None:
        predictions = predictions_of(row)
        found = [_drawn(row, predictions)] if is_drawn else _choices(row, predictions, medium)
    return {
        "data": {medium: row.custom_id},
        "meta": {"index": row.index, "job": export.job.id, **(fault or {})},
        "predictions": [{"model_version": export.model, **each} for each in found],
    }


def _choices(row: Row, predictions: Sequence[Mapping[str, Any]], medium: str) -> list[Region]:
    return [
        {
            "score": each["confidence"],
            "result": [
                {
                    "id": f"{row.index}-{number}",
                    "type": "choices",
                    "from_name": _CHOICE,
                    "to_name": medium,
                    "value": {"choices": [each["class"]]},
                    "score": each["confidence"],
                }
            ],
        }
        for number, each in enumerate(predictions)
    ]


def _drawn(row: Row, predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    regions = [_region(row, number, each) for number, each in enumerate(predictions)]
    result = [region for region in regions if region is not None]
    scores = [region["score"] for region in result]
    # The mean: Label Studio sorts tasks by it, for the unsure ones to come first.
    return {"result": result} | ({"score": sum(scores) / len(scores)} if scores else {})


def _region(row: Row, number: int, prediction: Mapping[str, Any]) -> Region | None:
    width, height = size_of(row)
    name = prediction["class"]
    value: dict[str, Any]
    if "mask" in prediction:
        kind = "brushlabels"
        value = {"format": "rle", "rle": brush_of(prediction["mask"]), "brushlabels": [name]}
    else:
        kind = "rectanglelabels"
        box = inside(rectangle_of(prediction), width, height)
        if box is None:
            return None
        value = {
            "x": _PERCENT * box.x / width,
            "y": _PERCENT * box.y / height,
            "width": _PERCENT * box.width / width,
            "height": _PERCENT * box.height / height,
            "rotation": 0,
            "rectanglelabels": [name],
        }
    return {
        "id": f"{row.index}-{number}",
        "type": kind,
        "from_name": _LABEL,
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
        "score": prediction["confidence"],
    }
