"""How far two answers are apart, by hand."""

from typing import Any

import numpy as np
import pytest

from models.answers import rle
from models.proving.differences import BOX_IOU, CONFIDENCE, COSINE, MASK_IOU, differences, worst_of


def chance(class_id: int, confidence: float) -> dict[str, Any]:
    return {"class": f"c{class_id}", "class_id": class_id, "confidence": confidence}


def thing(class_id: int, confidence: float, x: float = 10, width: float = 100) -> dict[str, Any]:
    box = {"x": x, "y": 20.0, "width": width, "height": 50.0}
    return {**chance(class_id, confidence), "box": box}


def layer(class_id: int, bits: np.ndarray) -> dict[str, Any]:
    return {**chance(class_id, 0.9), "mask": rle.encode(bits)}


def worst(
    task: str, ours: list[Any], theirs: list[Any], least_told: float | None = None
) -> dict[str, float]:
    return {each.measure: each.worst for each in differences(task, ours, theirs, least_told)}


def test_classes_are_compared_by_their_confidences() -> None:
    ours = [chance(1, 0.7), chance(0, 0.2), chance(2, 0.1)]
    assert worst("classification", ours, ours) == {CONFIDENCE: 0.0}
    theirs = [chance(1, 0.69), chance(0, 0.25)]
    assert worst("classification", ours, theirs)[CONFIDENCE] == pytest.approx(0.05)


def test_classes_may_be_named_instead_of_numbered() -> None:
    theirs = [{"class": "c1", "confidence": 0.4}]
    ours = [chance(1, 0.7), chance(0, 0.3)]
    assert worst("classification", ours, theirs)[CONFIDENCE] == pytest.approx(0.3)


def test_another_first_class_counts_though_it_was_not_expected() -> None:
    ours = [chance(3, 0.6), chance(1, 0.4)]
    assert worst("classification", ours, [chance(1, 0.4)])[CONFIDENCE] == pytest.approx(0.2)


def test_a_class_without_a_confidence_is_the_best_one() -> None:
    ours = [chance(1, 0.7), chance(0, 0.3)]
    assert worst("classification", ours, [{"class": "c1"}])[CONFIDENCE] == 0.0
    assert worst("classification", ours, [{"class": "c0"}])[CONFIDENCE] == pytest.approx(0.4)


def test_boxes_are_held_against_the_nearest_of_their_class() -> None:
    ours = [thing(1, 0.9), thing(1, 0.8, x=300), thing(2, 0.9)]
    assert worst("detection", ours, list(reversed(ours))) == {BOX_IOU: 1.0, CONFIDENCE: 0.0}
    moved = [thing(1, 0.9, x=12), thing(1, 0.8, x=300), thing(2, 0.85)]
    found = worst("detection", ours, moved)
    assert found[BOX_IOU] == pytest.approx(98 / 102)
    assert found[CONFIDENCE] == pytest.approx(0.05)


@pytest.mark.parametrize("sides", [(0, 1), (1, 0)], ids=["ours", "theirs"])
def test_an_object_that_one_side_lacks_overlaps_nothing(sides: tuple[int, int]) -> None:
    given = [[thing(1, 0.9)], [thing(1, 0.9), thing(2, 0.8, x=300)]]
    found = worst("detection", given[sides[0]], given[sides[1]], 0.05)
    assert found == {BOX_IOU: 0.0, CONFIDENCE: 0.8}


def test_what_the_other_side_would_not_have_told_is_not_missed() -> None:
    # Told from 0.5 on, as nearly all are.
    theirs = [thing(1, 0.9), thing(1, 0.5, x=300)]
    ours = [*theirs, thing(2, 0.4, x=500)]
    assert worst("detection", ours, theirs) == {BOX_IOU: 1.0, CONFIDENCE: 0.0}
    assert worst("detection", [thing(2, 0.4)], []) == {}
    assert worst("detection", [thing(2, 0.6)], [])[BOX_IOU] == 0.0


def test_layers_are_compared_in_pixels_of_all_classes() -> None:
    bits = np.zeros((10, 10), bool)
    bits[:5] = True
    ours = [layer(0, bits), layer(1, ~bits)]
    assert worst("segmentation", ours, ours) == {MASK_IOU: 1.0}
    other = bits.copy()
    other[5] = True
    found = worst("segmentation", ours, [layer(0, other), layer(1, ~other)])
    assert found[MASK_IOU] == pytest.approx(90 / 110)
    assert worst("segmentation", ours, [layer(0, bits), layer(2, ~bits)])[MASK_IOU] < 0.5


def test_masks_of_objects_are_compared_one_by_one() -> None:
    bits = np.zeros((10, 10), bool)
    bits[:5] = True
    box = thing(0, 0.9)["box"]
    ours = [{**layer(0, bits), "box": box}]
    assert worst("segmentation", ours, [{**layer(0, bits)}]) == {MASK_IOU: 1.0, CONFIDENCE: 0.0}
    found = worst("segmentation", ours, [{**layer(0, bits | True)}])
    assert found[MASK_IOU] == pytest.approx(0.5)


def test_vectors_are_compared_by_their_cosine() -> None:
    ours = [{"embedding": [3.0, 4.0]}]
    assert worst("embedding", ours, [{"embedding": [0.6, 0.8]}])[COSINE] == pytest.approx(1.0)
    assert worst("embedding", ours, [{"embedding": [4.0, 3.0]}])[COSINE] == pytest.approx(0.96)
    assert worst("embedding", ours, [{"embedding": [1.0]}])[COSINE] == 0.0


def test_the_worst_of_several_is_of_all_that_was_compared() -> None:
    found = [
        each
        for theirs in ([chance(1, 0.7)], [chance(1, 0.5)], [chance(1, 0.69)])
        for each in differences("classification", [chance(1, 0.7)], theirs)
    ]
    (together,) = worst_of(found)
    assert (together.worst, together.compared) == (pytest.approx(0.2), 3)
    assert together.excess == pytest.approx(200)
