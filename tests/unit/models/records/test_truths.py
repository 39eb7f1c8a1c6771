"""What is said to be true of an item is checked before anything runs."""

import numpy as np
import pytest

from models.answers import rle
from models.contracts.truths import check_class, evaluated_params, read_truth
from models.records.errors import ParamsError, TruthError

LABELS = ("cat", "cattle", "dog")
BOX = {"x": 1, "y": 2, "width": 3, "height": 4}


def test_a_truth_is_kept_as_it_was_said():
    assert read_truth("classification", {"class": "dog"}, LABELS) == {"class": "dog"}
    boxes = {"boxes": [{"class": "cat", "box": BOX}]}
    assert read_truth("detection", boxes, LABELS) == boxes
    assert read_truth("detection", {"boxes": []}, LABELS) == {"boxes": []}
    masks = {"masks": [{"class": "cat", "mask": rle.encode(np.eye(40, dtype=bool))}]}
    assert read_truth("segmentation", masks, LABELS) == masks


@pytest.mark.parametrize(
    ("task", "value", "words"),
    [
        ("classification", {"class": "catt"}, "'catt' is no class .* 'cat'"),
        ("classification", {"class": 3}, "`class`"),
        ("classification", {}, "`class`"),
        ("classification", {"class": "cat", "sure": 1}, "`sure`"),
        ("detection", {"boxes": [{"class": "bird", "box": BOX}]}, "'bird'"),
        ("detection", {"boxes": [{"class": "cat", "box": {**BOX, "width": -1}}]}, "0.box.width"),
        ("detection", {"boxes": [{"class": "cat", "box": {**BOX, "x": 1e999}}]}, "0.box.x"),
        ("segmentation", {"masks": [{"class": "cat", "mask": {"size": [0, 4], "counts": ""}}]},
         "0.mask.size"),
        # A number of a thousand characters would take minutes to read.
        ("segmentation",
         {"masks": [{"class": "cat", "mask": {"size": [4, 4], "counts": "o" * 1000 + "0"}}]},
         "0.mask.counts"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_truth_is_told_with_its_place(task, value, words):
    with pytest.raises(TruthError, match=words):
        read_truth(task, value, LABELS)


def test_a_class_far_from_all_is_answered_with_some_that_there_are():
    with pytest.raises(TruthError, match="did you mean 'cat', 'cattle', 'dog'"):
        check_class("xyz", LABELS)


def test_an_evaluation_asks_for_every_box_and_takes_no_parameter_that_hides_answers():
    assert evaluated_params("detection", {})["min_confidence"] == 0.0
    assert evaluated_params("detection", {"min_confidence": 0.4}) == {"min_confidence": 0.4}
    for task, name in (
        ("classification", "min_confidence"), ("detection", "classes"), ("segmentation", "classes"),
    ):  # fmt: skip
        with pytest.raises(ParamsError, match=name):
            evaluated_params(task, {name: 0.5})
    with pytest.raises(TruthError, match="embedding"):
        evaluated_params("embedding", {})
