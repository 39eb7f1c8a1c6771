"""Label Studio's tasks with pre-annotations, as its documents and its own converter have them."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.results.forms.brush import brush_of
from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from models.answers.rle import encode
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, mask, read, run_job
from tests.integration.api.forms.test_coco import SHAPE


def tasks_of(caller: Caller, job: str) -> list[dict[str, Any]]:
    text = read(caller, job, "label-studio")
    assert (text.count(b"\n"), text[-1:]) == (1, b"\n")
    return json.loads(text)


def unpacked(code: list[int]) -> NDArray[np.uint8]:
    """Decode as `decode` of rle-pack does (https://github.com/thi-ng/umbrella), bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in code)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < total:
        is_run = take(1)
        count = take(sizes[take(2)]) + 1
        out += [take(word)] * count if is_run else [take(word) for _ in range(count)]
    assert len(bits) - place < 8
    return np.array(out, np.uint8)


@pytest.mark.parametrize(
    "bits",
    [
        SHAPE,
        ~SHAPE,
        np.zeros((3, 2), bool),
        np.ones((200, 300), bool),
        np.arange(700).reshape(7, 100) % 3 == 0,
        np.random.default_rng(3).random((61, 43)) < 0.5,
    ],
)
def test_a_brush_has_the_pixels_of_the_mask_row_by_row(bits: Any) -> None:
    channels = unpacked(brush_of(encode(bits))).reshape(*bits.shape, 4)
    for channel in range(4):
        assert (channels[:, :, channel] == np.where(bits, 255, 0)).all()


def test_a_brush_is_to_the_byte_what_label_studios_converter_makes() -> None:
    # encode_rle of label_studio_sdk on np.repeat(255 * [[0, 1, 1], [1, 0, 0]], 4), by hand:
    # 24 bytes of 8 bits; runs of 4, 12 and 8 equal bytes, in sizes of 3, 4 and 3 bits.
    bits = (
        f"{24:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
        f"100{3:03b}{0:08b}" + f"101{11:04b}{255:08b}" + f"100{7:03b}{0:08b}"
    )
    bits += "0" * (-len(bits) % 8)
    expected = [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
    assert brush_of(encode(np.array([[0, 1, 1], [1, 0, 0]], bool))) == expected


def test_boxes_are_percents_of_the_picture(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    found = [box("dog", 1, 64, 48, 320, 240), box("cat", 0, -64, 0, 128, 960)]
    answers = [Answer('a, "b"\n犬.jpg', found), Answer("b.jpg", [])]
    job = run_job(ground, tenant, "detection", answers)
    task, empty = tasks_of(caller, job)
    assert task["data"] == {"image": 'a, "b"\n犬.jpg'}
    assert task["meta"] == {"index": 0, "job": job}
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "detection@1#sha256:" + "0" * 64
    assert prediction["score"] == 0.75
    assert prediction["result"][0] == {
        "id": "0-0", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "original_width": 640, "original_height": 480, "image_rotation": 0, "score": 0.75,
        "value": {
            "x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["dog"],
        },
    }  # fmt: skip
    inside = prediction["result"][1]["value"]
    assert [inside[name] for name in ("x", "y", "width", "height")] == [0, 0, 10, 100]
    # It shows nothing, and that is an answer.
    assert empty["predictions"] == [{"model_version": prediction["model_version"], "result": []}]


def test_masks_are_brushes(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    answers = [Answer("a.png", [mask("dog", 1, SHAPE)], (8, 5))]
    (task,) = tasks_of(caller, run_job(ground, tenant, "segmentation", answers))
    (region,) = task["predictions"][0]["result"]
    assert (region["type"], region["value"]["format"]) == ("brushlabels", "rle")
    assert region["value"]["brushlabels"] == ["dog"]
    assert (region["original_width"], region["original_height"]) == (8, 5)
    pixels = unpacked(region["value"]["rle"]).reshape(5, 8, 4)[:, :, 3]
    assert (pixels == np.where(SHAPE, 255, 0)).all()


@pytest.mark.parametrize("task", ["classification", "zero-shot-classification"])
def test_of_several_classes_each_is_a_prediction_of_its_own(
    caller: Caller, ground: Ground, tenant: NewKey, task: str
) -> None:
    found = [
        {"class": "a, cat", "class_id": 0, "confidence": 0.6},
        {"class": "a dog", "class_id": 1, "confidence": 0.4},
    ]
    # Their pictures' sizes are not needed.
    job = run_job(ground, tenant, task, [Answer("a.png", found, None)])
    (told,) = tasks_of(caller, job)
    assert [each["score"] for each in told["predictions"]] == [0.6, 0.4]
    assert told["predictions"][0]["result"] == [
        {
            "id": "0-0", "type": "choices", "from_name": "choice", "to_name": "image",
            "value": {"choices": ["a, cat"]}, "score": 0.6,
        }
    ]  # fmt: skip


def test_films_are_videos_with_their_class(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    found = [{"class": "dog", "class_id": 1, "confidence": 0.9, "segments": [], "clips": []}]
    job = run_job(ground, tenant, "video-classification", [Answer("a.mp4", found, fps=25.0)])
    (told,) = tasks_of(caller, job)
    assert told["data"] == {"video": "a.mp4"}
    (region,) = told["predictions"][0]["result"]
    assert (region["to_name"], region["value"]) == ("video", {"choices": ["dog"]})


def test_items_that_were_not_answered_are_tasks_that_say_why(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    answers = [
        Answer("bad.jpg", BROKEN), Answer("old.jpg", [box("cat", 0, 0, 0, 1, 1)], None),
        Answer("never.jpg", []),
    ]  # fmt: skip
    job = run_job(ground, tenant, "detection", answers, leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    failed, old, never = tasks_of(caller, job)
    assert [each["predictions"] for each in (failed, old, never)] == [[], [], []]
    assert failed["meta"]["error"]["code"] == "image_decode_failed"
    assert old["meta"]["error"]["code"] == "size_unknown"
    assert never["meta"]["status"] == "cancelled"
