"""mAP and mIoU on cases that can be worked out by hand."""

import numpy as np
import pytest

from models.answers.measures import (
    Boxes,
    average_precision,
    box_iou,
    class_ious,
    mean_average_precision,
    mean_iou,
)


def boxes(*rows):
    """One picture from (label, x1, y1, x2, y2) or (label, x1, y1, x2, y2, score)."""
    table = np.array([(*row, 1.0)[:6] for row in rows], float).reshape(-1, 6)
    return Boxes(table[:, 1:5], table[:, 0].astype(int), table[:, 5])


HERE, THERE, AWAY = (0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60)


def test_overlap_is_intersection_over_union():
    first = np.array([[0, 0, 10, 10]], float)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4]], float)
    assert box_iou(first, second)[0].tolist() == pytest.approx([1, 50 / 150, 0, 4 / 100])


def test_all_found_and_nothing_else_is_one():
    truth = [boxes((1, *HERE), (2, *THERE)), boxes((1, *AWAY))]
    assert mean_average_precision(truth, truth) == 1.0


def test_nothing_found_is_nought():
    assert mean_average_precision([boxes()], [boxes((1, *HERE))]) == 0.0


def test_a_false_one_counts_by_its_rank():
    truth = [boxes((1, *HERE), (1, *THERE))]
    after = [boxes((1, *HERE, 0.9), (1, *THERE, 0.8), (1, *AWAY, 0.1))]
    between = [boxes((1, *HERE, 0.9), (1, *AWAY, 0.8), (1, *THERE, 0.1))]
    before = [boxes((1, *AWAY, 0.9), (1, *HERE, 0.8), (1, *THERE, 0.1))]
    assert average_precision(after, truth, 1, 0.5) == 1.0
    # Recall 1/2 at precision 1, the rest at 2/3.
    assert average_precision(between, truth, 1, 0.5) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # Precisions 1/2 and 2/3; made monotone, both count as 2/3.
    assert average_precision(before, truth, 1, 0.5) == pytest.approx(2 / 3)


def test_a_second_box_on_the_same_object_is_false():
    truth = [boxes((1, *HERE), (1, *THERE))]
    found = [boxes((1, *HERE, 0.9), (1, 0, 0, 10, 9, 0.8), (1, *THERE, 0.7))]
    assert average_precision(found, truth, 1, 0.5) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_right_place_under_the_wrong_name_or_in_the_wrong_picture_is_false():
    truth = [boxes((1, *HERE)), boxes((2, *THERE))]
    assert mean_average_precision([boxes((2, *HERE)), boxes((1, *THERE))], truth) == 0.0
    assert mean_average_precision(truth[::-1], truth) == 0.0


def test_the_least_overlap_decides():
    truth, found = [boxes((1, *HERE))], [boxes((1, 0, 0, 10, 6))]
    assert mean_average_precision(found, truth, 0.5) == 1.0
    assert mean_average_precision(found, truth, 0.75) == 0.0


def test_classes_count_alike_however_often_they_appear():
    truth = [boxes((1, *HERE), (1, *THERE), (1, *AWAY), (2, 70, 70, 80, 80))]
    found = [boxes((1, *HERE), (1, *THERE), (1, *AWAY))]
    assert mean_average_precision(found, truth) == 0.5


def test_the_overlap_of_classes_is_taken_over_all_pictures():
    truth = [np.array([[0, 0], [1, 1]]), np.array([[1, 1], [1, 1]])]
    found = [np.array([[0, 1], [1, 1]]), np.array([[1, 1], [1, 0]])]
    # Class 0: 1 in both, 3 in either. Class 1: 5 and 7. Class 2 is nowhere.
    ious = class_ious(found, truth, 3)
    assert ious[:2].tolist() == pytest.approx([1 / 3, 5 / 7])
    assert np.isnan(ious[2])
    assert mean_iou(found, truth, 3) == pytest.approx((1 / 3 + 5 / 7) / 2)
