"""GeoJSON: a rectangle an object, in pixels of the picture; for tools that draw and count shapes.

There is no place on Earth in it: x runs to the right and y down from the picture's top left corner,
and whoever reads it as degrees is wrong. An item that shows nothing, or was not answered, is one
feature without geometry, so that every item is there.

Source: RFC 7946
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from api.results.forms.boxes import Rectangle, rectangle_of
from jobs.forms.export import Export, chunked, fault_of, predictions_of, separated
from jobs.results.segments import Row, to_json


def write(export: Export) -> Iterator[bytes]:
    """Write one FeatureCollection on one line."""
    about = to_json({"job": export.job.id, "model": export.model, "units": "pixels"})
    return chunked(
        chain(
            [f'{{"type":"FeatureCollection","properties":{about},"features":['],
            separated(to_json(each) for row in export.rows() for each in _features(row)),
            ["]}\n"],
        )
    )


def _features(row: Row) -> Iterator[dict[str, Any]]:
    item = {"index": row.index, "custom_id": row.custom_id, "status": row.status.value}
    size = {"image_width": row.width, "image_height": row.height}
    predictions = predictions_of(row)
    if not predictions:
        yield _feature(None, {**item, **size, **(fault_of(row) or {})})
    for prediction in predictions:
        found = {name: prediction[name] for name in ("class", "class_id", "confidence")}
        yield _feature(_polygon(rectangle_of(prediction)), {**item, **size, **found})


def _feature(geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _polygon(box: Rectangle) -> dict[str, Any]:
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    # Counterclockwise where y is read as growing upwards, as the standard has it.
    corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {"type": "Polygon", "coordinates": [corners]}
