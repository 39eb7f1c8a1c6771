"""GeoJSON: rectangles in pixels, and every item in it."""

import json
from typing import Any

import numpy as np

from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, mask, read, run_job
from tests.integration.api.forms.test_coco import SHAPE


def features_of(caller: Caller, job: str) -> list[dict[str, Any]]:
    answer = caller.get(f"/v1/jobs/{job}/results?format=geojson")
    assert answer.content_type == "application/geo+json"
    collection = json.loads(answer.data)
    assert collection["type"] == "FeatureCollection"
    assert {each["type"] for each in collection["features"]} <= {"Feature"}
    return collection["features"]


def test_a_box_is_a_closed_ring_of_its_corners_in_pixels(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("ä.jpg", [box("dog", 1, 10, 20, 30, 40)])])
    (feature,) = features_of(caller, job)
    ring = feature["geometry"]["coordinates"][0]
    assert ring == [[10, 20], [40, 20], [40, 60], [10, 60], [10, 20]]
    x, y = np.array(ring).T
    # Counterclockwise by RFC 7946, which has y grow upwards.
    assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() == 2 * 30 * 40
    assert feature["properties"] == {
        "index": 0, "custom_id": "ä.jpg", "status": "succeeded", "image_width": 640,
        "image_height": 480, "class": "dog", "class_id": 1, "confidence": 0.75,
    }  # fmt: skip


def test_a_mask_is_the_rectangle_around_it(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    answers = [Answer("a.png", [mask("dog", 1, SHAPE)], (8, 5))]
    (feature,) = features_of(caller, run_job(ground, tenant, "segmentation", answers))
    assert feature["geometry"]["coordinates"][0][0] == [2, 1]
    assert feature["geometry"]["coordinates"][0][2] == [7, 4]


def test_every_item_is_a_feature(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    answers = [Answer("none.jpg", []), Answer("bad.jpg", BROKEN), Answer("never.jpg", [])]
    job = run_job(ground, tenant, "detection", answers, leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    features = features_of(caller, job)
    assert [each["geometry"] for each in features] == [None] * 3
    told = [each["properties"] for each in features]
    assert [each["status"] for each in told] == ["succeeded", "errored", "cancelled"]
    assert told[1]["error"]["code"] == "image_decode_failed"
    assert "error" not in told[0]


def test_a_job_without_rows_has_no_features(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.png", [])], leave=1)
    assert json.loads(read(caller, job, "geojson"))["features"] == []
