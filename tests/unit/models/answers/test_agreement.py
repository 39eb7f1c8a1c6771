"""How alike two answers are, by examples that were worked out by hand."""

from typing import Any

import numpy as np
import pytest

from models.answers import rle
from models.answers.agreement import MEASURES, measure_of
from models.contracts import CONTRACTS


def similarity(task: str, one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """The similarity, which must be the same both ways round."""
    measure = measure_of(task)
    found = measure.similarity(one, other)
    assert found == pytest.approx(measure.similarity(other, one))
    return found


def box(name: str, x: float, y: float = 0, width: float = 10, height: float = 10) -> dict[str, Any]:
    return {"class": name, "box": {"x": x, "y": y, "width": width, "height": height}}


def mask(name: str, *rows: str) -> dict[str, Any]:
    bits = np.array([[character == "#" for character in row] for row in rows])
    return {"class": name, "mask": rle.encode(bits)}


def segment(name: str, start: int, end: int) -> dict[str, Any]:
    return {"class": name, "start_ms": start, "end_ms": end}


def test_every_task_that_jobs_can_have_has_a_measure() -> None:
    assert set(CONTRACTS) <= set(MEASURES)


@pytest.mark.parametrize("task", MEASURES)
def test_an_answer_is_the_same_as_itself(task: str) -> None:
    answer = {
        "class": "7",
        "box": {"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0},
        "mask": rle.encode(np.eye(5, dtype=bool)),
        "embedding": [0.6, 0.8],
        "segments": [segment("7", 0, 1000)],
    }
    assert similarity(task, [answer], [answer]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("7", "7", 1.0), ("7", "1", 0.0), ("7", None, 0.0), (None, None, 1.0)],
)
def test_classifications_agree_in_their_first_class(
    one: str | None, other: str | None, expected: float
) -> None:
    answers = [[{"class": name}, {"class": "9"}] if name else [] for name in (one, other)]
    assert similarity("classification", *answers) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([], [], 1.0),
        ([box("a", 0)], [], 0.0),
        # 10 x 10 boxes moved by 3: IoU 70 / 130; by 4: 60 / 140.
        ([box("a", 0)], [box("a", 3)], 1.0),
        ([box("a", 0)], [box("a", 4)], 0.0),
        ([box("a", 0)], [box("b", 0)], 0.0),
        # Two of three boxes find each other: F1 = 2 * 2 / (2 + 3).
        ([box("a", 0), box("b", 50)], [box("b", 51), box("a", 1), box("a", 90)], 0.8),
        # A box is matched once, however many lie on it.
        ([box("a", 0)], [box("a", 0), box("a", 1)], 2 / 3),
    ],
)
def test_detections_agree_in_boxes_of_one_class_that_overlap_by_half(
    one: list[dict[str, Any]], other: list[dict[str, Any]], expected: float
) -> None:
    assert similarity("detection", one, other) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([], [], 1.0),
        ([mask("a", "##..")], [], 0.0),
        ([mask("a", "##..")], [mask("a", ".##.")], 1 / 3),
        ([mask("a", "##..")], [mask("b", "##..")], 0.0),
        ([mask("a", "##..")], [mask("a", "##..."[:5])], 0.0),
        # a agrees by half, b wholly.
        ([mask("a", "##.."), mask("b", "..##")], [mask("a", "#..."), mask("b", "..##")], 0.75),
        # Objects of a class are united.
        ([mask("a", "#..."), mask("a", ".#..")], [mask("a", "##..")], 1.0),
    ],
)
def test_segmentations_agree_in_the_pixels_of_each_class(
    one: list[dict[str, Any]], other: list[dict[str, Any]], expected: float
) -> None:
    assert similarity("segmentation", one, other) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 0.0], [3.0, 0.0], 1.0),
        ([1.0, 0.0], [1.0, 1.0], 0.5**0.5),
        ([1.0, 0.0], [-1.0, 0.0], 0.0),
        ([1.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, 0.0], [1.0, 0.0, 0.0], 0.0),
    ],
)
def test_embeddings_agree_in_their_direction(
    one: list[float], other: list[float], expected: float
) -> None:
    assert similarity("embedding", [{"embedding": one}], [{"embedding": other}]) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([], [], 1.0),
        ([segment("a", 0, 1000)], [], 0.0),
        ([segment("a", 0, 1000)], [segment("a", 500, 1000)], 0.5),
        ([segment("a", 0, 1000)], [segment("b", 0, 1000)], 0.0),
        # The same class for 700 of 1,000 ms.
        (
            [segment("a", 0, 400), segment("b", 400, 1000)],
            [segment("a", 0, 700), segment("b", 700, 1000)],
            0.7,
        ),
    ],
)
def test_videos_agree_in_the_time_that_has_the_same_class(
    one: list[dict[str, Any]], other: list[dict[str, Any]], expected: float
) -> None:
    answers = ([{"segments": one}], [{"segments": other}])
    assert similarity("video-classification", *answers) == pytest.approx(expected)
