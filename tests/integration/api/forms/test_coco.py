"""COCO as pycocotools reads and measures it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from api.results.forms import coco as coco_form
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.results.segments import Row
from jobs.tenants.keys import NewKey
from models.answers.rle import encode, extent
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, mask, read, run_job
from tests.integration.api.forms.test_parquet import export_of

# Neither symmetric nor square: a transposed mask is another one.
SHAPE = np.zeros((5, 8), bool)
SHAPE[1, 2:7] = True
SHAPE[2:4, 2] = True
ODD = "b/ä, ö\n=1+1.jpg"


def load(caller: Caller, job: str, tmp_path: Path, **query: Any) -> COCO:
    path = tmp_path / "coco.json"
    path.write_bytes(read(caller, job, "coco", **query))
    return COCO(str(path))


@pytest.fixture
def boxes(caller: Caller, ground: Ground, tenant: NewKey) -> str:
    answers = [
        Answer("a.jpg", [box("dog", 1, 10.5, 20, 30, 40.25), box("cat", 0, 0, 0, 5, 5)]),
        Answer("broken.jpg", BROKEN),
        Answer(ODD, [], (100, 50)),
        Answer("old.jpg", [box("cat", 0, 0, 0, 5, 5)], None),
        Answer("never.jpg", []),
    ]
    job = run_job(ground, tenant, "detection", answers, leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    return job


def test_boxes_images_and_categories_are_as_pycocotools_wants_them(
    caller: Caller, boxes: str, tmp_path: Path
) -> None:
    coco = load(caller, boxes, tmp_path)
    assert [(each["id"], each["name"]) for each in coco.loadCats(coco.getCatIds())] == [
        (0, "cat"), (1, "dog"),
    ]  # fmt: skip
    images = coco.loadImgs(coco.getImgIds())
    assert images == [
        {"id": 0, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": 2, "file_name": ODD, "width": 100, "height": 50},
    ]
    assert coco.getImgIds(catIds=[1]) == [0]
    (dog,) = coco.loadAnns(coco.getAnnIds(catIds=[1]))
    assert dog == {
        "id": 1, "image_id": 0, "category_id": 1, "bbox": [10.5, 20, 30, 40.25],
        "area": 30 * 40.25, "iscrowd": 0, "score": 0.75,
    }  # fmt: skip


def test_items_without_an_answer_are_listed_and_are_no_images(
    caller: Caller, boxes: str, tmp_path: Path
) -> None:
    left_out = load(caller, boxes, tmp_path).dataset["left_out"]
    error = {"code": "image_decode_failed", "message": "Cut short, at byte 7."}
    assert left_out[0] == {
        "index": 1, "custom_id": "broken.jpg", "status": "errored", "error": error,
    }  # fmt: skip
    assert [(each["index"], each["status"]) for each in left_out] == [
        (1, "errored"), (3, "succeeded"), (4, "cancelled"),
    ]  # fmt: skip
    assert left_out[1]["error"]["code"] == "size_unknown"
    assert left_out[2]["error"] is None


def test_a_status_and_a_cursor_choose_items(caller: Caller, boxes: str, tmp_path: Path) -> None:
    assert load(caller, boxes, tmp_path, status="errored").dataset["images"] == []
    first = load(caller, boxes, tmp_path, limit=1)
    assert (first.getImgIds(), first.dataset["left_out"]) == ([0], [])


def test_masks_come_back_pixel_by_pixel(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    own = {"x": 2.0, "y": 1.0, "width": 5.0, "height": 3.0}
    found = [mask("dog", 1, SHAPE), mask("cat", 0, ~SHAPE, box=own)]
    job = run_job(ground, tenant, "segmentation", [Answer("a.png", found, (8, 5))])
    coco = load(caller, job, tmp_path)
    dog, cat = coco.loadAnns(coco.getAnnIds())
    assert (coco.annToMask(dog) == SHAPE).all()
    assert (coco.annToMask(cat) == ~SHAPE).all()
    assert (dog["area"], dog["bbox"]) == (SHAPE.sum(), [2, 1, 5, 3])
    assert cat["bbox"] == [2.0, 1.0, 5.0, 3.0]
    # As its own results, they agree with themselves.
    again = coco.loadRes([{**dog}, {**cat}])
    assert coco_masks.iou([again.annToRLE(dog)], [coco.annToRLE(dog)], [0]).item() == 1


def test_a_jobs_own_boxes_measure_as_perfect(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path, capsys: Any
) -> None:
    found = [box("cat", 0, 20, 30, 50, 60), box("dog", 1, 200, 100, 90, 80)]
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", found), Answer("b.jpg", found)])
    coco = load(caller, job, tmp_path)
    measured = COCOeval(coco, coco.loadRes(coco.dataset["annotations"]), "bbox")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert measured.stats[0] == 1.0


def test_a_job_without_rows_is_a_file_without_images(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.png", [])], leave=1)
    coco = load(caller, job, tmp_path)
    assert (coco.getImgIds(), coco.getAnnIds(), coco.getCatIds()) == ([], [], [0, 1])


def test_one_line_end_stands_at_the_end_alone(caller: Caller, boxes: str) -> None:
    # By which whoever reads it off a connection knows that it is whole.
    text = read(caller, boxes, "coco")
    assert (text.count(b"\n"), text[-1:]) == (1, b"\n")
    json.loads(text)


def test_the_extent_of_any_mask_is_pycocotools_own() -> None:
    rng = np.random.default_rng(7)
    for _ in range(300):
        height, width = rng.integers(1, 9, 2)
        bits = rng.random((height, width)) < rng.choice([0.05, 0.3, 1])
        code = encode(bits)
        theirs = coco_masks.toBbox({**code, "counts": code["counts"].encode()})
        if bits.any():
            assert extent(code) == tuple(theirs.tolist())
        else:
            assert extent(code) == (0, 0, 0, 0)


def test_a_long_list_of_nothing_still_says_something() -> None:
    # A connection that is silent for a minute is given up, by our own client first.
    read = [0]

    def rows() -> Any:
        for number in range(200_000):
            read[0] += 1
            yield Row(number, "a.jpg", ItemStatus.SUCCEEDED, width=1, height=1)

    at = [read[0] for _ in coco_form.write(export_of("detection", rows))]
    assert read[0] == 600_000
    assert max(after - before for before, after in pairwise(at)) < 70_000
