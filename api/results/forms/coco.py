"""COCO: the images, annotations and categories of pycocotools, with confidences as `score`.

`category_id` is the prediction's `class_id` and an image's id the item's `index`, both from 0 as in
every other form; annotations count from 1, because COCO's own evaluation takes 0 for none. Items
without an answer are no images, which would say that they show nothing: `left_out` lists them.

Source: https://cocodataset.org/#format-data
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

from api.results.forms.boxes import rectangle_of
from jobs.forms.export import (
    NO_SIZE,
    Export,
    chunked,
    fault_of,
    has_size,
    predictions_of,
    separated,
)
from jobs.results.segments import Row, to_json


def write(export: Export) -> Iterator[bytes]:
    """Write one object of JSON on one line; the rows are read once for each of its lists."""
    about = {
        "description": f"Results of {export.job.id} by {export.model}",
        "version": "1",
        "date_created": datetime.fromtimestamp(export.job.created_at, UTC).isoformat(),
    }
    categories = [
        {"id": number, "name": name, "supercategory": ""}
        for number, name in enumerate(export.labels)
    ]
    begin = f'{{"info":{to_json(about)},"licenses":[],"categories":{to_json(categories)}'
    return chunked(
        chain(
            [f'{begin},"images":['],
            separated(map(_image, export.rows())),
            ['],"annotations":['],
            separated(_annotations(export)),
            ['],"left_out":['],
            separated(map(_left_out, export.rows())),
            ["]}\n"],
        )
    )


def _image(row: Row) -> str | None:
    if not has_size(row):
        return None
    size = {"width": row.width, "height": row.height}
    return to_json({"id": row.index, "file_name": row.custom_id, **size})


def _left_out(row: Row) -> str | None:
    fault = fault_of(row, NO_SIZE)
    if fault is None:
        return None
    return to_json({"index": row.index, "custom_id": row.custom_id, **fault})


def _annotations(export: Export) -> Iterator[str | None]:
    numbers = count(1)
    for row in export.rows():
        found = predictions_of(row) if has_size(row) else []
        if not found:
            yield None
        for prediction in found:
            yield to_json(_annotation(next(numbers), row.index, prediction))


def _annotation(number: int, image: int, prediction: dict[str, Any]) -> dict[str, Any]:
    box = rectangle_of(prediction)
    annotation = {
        "id": number,
        "image_id": image,
        "category_id": prediction["class_id"],
        "bbox": list(box),
        "area": prediction.get("area", box.width * box.height),
        "iscrowd": 0,
        "score": prediction["confidence"],
    }
    if "mask" in prediction:
        annotation["segmentation"] = prediction["mask"]
    return annotation
