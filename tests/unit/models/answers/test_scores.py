"""Figures of evaluations are those that scikit-learn, whole lists and unpacked masks give."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from models.answers import rle
from models.answers.measures import Boxes, average_precision, class_ious, mean_average_precision
from models.answers.scores.box_scores import LEAST_IOUS, BoxScores
from models.answers.scores.by_task import SCORES
from models.answers.scores.class_scores import ClassScores
from models.answers.scores.pixel_scores import PixelScores
from models.contracts.truths import TRUTHS
from models.records.errors import TruthError

NAMES = ("bird", "cat", "dog", "elk")


def one(name):
    return [{"class": name, "confidence": 0.9}]


def scored_classes(true, found):
    scores = ClassScores(NAMES)
    for wanted, told in zip(true, found, strict=True):
        scores.add({"class": wanted}, [] if told is None else one(told), (1, 1))
    return scores


@pytest.fixture
def labels():
    rng = np.random.default_rng(3)
    true = rng.choice(NAMES[:3], 300)
    found = np.where(rng.random(300) < 0.6, true, rng.choice(NAMES[:3], 300))
    return true.tolist(), found.tolist()


def test_every_task_that_has_a_truth_has_scores():
    assert SCORES.keys() == TRUTHS.keys()
    for made in SCORES.values():
        assert made(NAMES).headline in made(NAMES).figures()


def test_accuracy_precision_recall_and_confusion_are_scikit_learns(labels):
    scores = scored_classes(*labels)
    assert scores.figures() == {"accuracy": pytest.approx(accuracy_score(*labels))}
    precision, recall, _, support = precision_recall_fscore_support(*labels, labels=NAMES[:3])
    rows = scores.per_class()
    assert [row["class"] for row in rows] == list(NAMES[:3]), "the order of the labels"
    assert [row["precision"] for row in rows] == pytest.approx(precision.tolist())
    assert [row["recall"] for row in rows] == pytest.approx(recall.tolist())
    assert [row["support"] for row in rows] == support.tolist()
    confusion = scores.confusion()
    assert confusion["counts"] == confusion_matrix(*labels, labels=NAMES[:3]).tolist()
    wrong = sum(one != other for one, other in zip(*labels, strict=True))
    assert sum(each["count"] for each in confusion["mistakes"]) == wrong
    counts = [each["count"] for each in confusion["mistakes"]]
    assert counts == sorted(counts, reverse=True)


def test_what_cannot_be_divided_has_no_figure():
    scores = scored_classes(["cat", "dog", "dog"], ["elk", "dog", None])
    rows = {row["class"]: row for row in scores.per_class()}
    assert rows["cat"] == {"class": "cat", "support": 1, "precision": None, "recall": 0.0}
    assert rows["elk"] == {"class": "elk", "support": 0, "precision": 0.0, "recall": None}
    assert rows["dog"]["recall"] == 0.5, "no answer is a wrong one"
    assert {"true": "dog", "found": None, "count": 1} in scores.confusion()["mistakes"]
    assert scored_classes([], []).figures() == {"accuracy": None}


def test_a_table_of_many_classes_is_left_out_and_the_mistakes_are_not():
    names = [f"class-{number}" for number in range(101)]
    scores = ClassScores(names)
    for name in names:
        scores.add({"class": name}, one(names[0]), (1, 1))
    confusion = scores.confusion()
    assert (confusion["labels"], confusion["counts"]) == (None, None)
    assert (len(confusion["mistakes"]), confusion["mistakes_left_out"]) == (100, 0)


def random_boxes(rng, count):
    corner = rng.uniform(0, 60, (count, 2))
    sides = rng.uniform(5, 30, (count, 2))
    return np.concatenate([corner, corner + sides], axis=1)


def as_answer(boxes, labels, scores=None):
    return [
        {
            "class": NAMES[label],
            "box": {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1},
            **({} if scores is None else {"confidence": float(scores[row])}),
        }
        for row, ((x1, y1, x2, y2), label) in enumerate(
            zip(boxes.tolist(), labels.tolist(), strict=True)
        )
    ]


@pytest.fixture
def pictures():
    """Pictures with true boxes, and found ones that are near some of them."""
    rng = np.random.default_rng(5)
    made = []
    for _ in range(60):
        true, labels = random_boxes(rng, 4), rng.integers(0, 3, 4)
        near = true + rng.normal(0, 2, true.shape)
        found = np.concatenate([near, near[:2] + 1, random_boxes(rng, 3)])
        kinds = np.concatenate([labels, labels[:2], rng.integers(0, 4, 3)])
        made.append((true, labels, found, kinds, rng.choice(np.arange(1, 50) / 50, len(found))))
    return made


def test_average_precision_is_that_of_whole_lists_at_every_overlap(pictures):
    scores = BoxScores(NAMES)
    for true, labels, found, kinds, sure in pictures:
        scores.add({"boxes": as_answer(true, labels)}, as_answer(found, kinds, sure), (100, 100))
    truth = [Boxes(each[0], each[1], np.ones(len(each[1]))) for each in pictures]
    found = [Boxes(each[2], each[3], each[4]) for each in pictures]
    at = [mean_average_precision(found, truth, least) for least in LEAST_IOUS]
    figures = scores.figures()
    assert figures["map_50"] == pytest.approx(at[0], abs=1e-9)
    assert figures["map_50_95"] == pytest.approx(np.mean(at), abs=1e-9)
    assert 0.1 < figures["map_50_95"] < figures["map_50"] < 0.95
    rows = {row["class"]: row for row in scores.per_class()}
    for label, name in enumerate(NAMES[:3]):
        assert rows[name]["ap_50"] == pytest.approx(average_precision(found, truth, label, 0.5))
        assert rows[name]["support"] == sum((each[1] == label).sum() for each in pictures)
    assert (rows["elk"]["support"], rows["elk"]["ap_50"]) == (0, None), "it is true nowhere"
    assert rows["elk"]["found"] > 0


def test_boxes_of_nothing_are_measured_by_nothing():
    scores = BoxScores(NAMES)
    scores.add({"boxes": []}, [], (10, 10))
    assert scores.figures() == {"map_50": None, "map_50_95": None}
    assert scores.per_class() == []


GROUND = ("background", "cat", "dog")


def as_masks(ids, names=GROUND, **more):
    return [
        {"class": names[number], "mask": rle.encode(ids == number), **more}
        for number in np.unique(ids).tolist()
        if number < len(names)
    ]


def test_iou_is_that_of_unpacked_masks_and_leaves_out_what_is_void():
    rng = np.random.default_rng(11)
    scores, true, found = PixelScores(GROUND), [], []
    for _ in range(8):
        wanted = np.repeat(np.repeat(rng.integers(0, 3, (5, 7)), 6, 0), 5, 1)
        told = np.where(rng.random(wanted.shape) < 0.7, wanted, rng.integers(0, 3, wanted.shape))
        void = rng.random(wanted.shape) < 0.1
        masks = as_masks(np.where(void, 255, wanted))
        # The background is what no mask covers, as answers have it.
        answer = [each for each in as_masks(told) if each["class"] != "background"]
        scores.add({"masks": masks}, answer, wanted.shape)
        true.append(wanted[~void])
        found.append(told[~void])
    ious = class_ious(found, true, 3)
    assert [row["iou"] for row in scores.per_class()] == pytest.approx(ious.tolist())
    assert scores.figures()["miou"] == pytest.approx(ious.mean())
    right = np.concatenate(found) == np.concatenate(true)
    assert scores.figures()["pixel_accuracy"] == pytest.approx(right.mean())
    counts = np.bincount(np.concatenate(true))
    assert [row["support"] for row in scores.per_class()] == counts.tolist()


def test_of_objects_that_overlap_the_most_confident_has_the_pixel():
    left, all_of_it = np.zeros((4, 6), bool), np.ones((4, 6), bool)
    left[:, :2] = True
    answer = [
        {"class": name, "mask": rle.encode(mask)}
        for name, mask in (("cat", left), ("dog", all_of_it))
    ]
    truth = {"masks": as_masks(np.where(left, 1, 2))}
    scores = PixelScores(("cat", "dog"))
    scores.add({"masks": as_masks(np.where(left, 0, 1), ("cat", "dog"))}, answer, (4, 6))
    assert scores.figures() == {"miou": 1.0, "pixel_accuracy": 1.0}
    other = PixelScores(GROUND)
    other.add(truth, answer[::-1], (4, 6))
    assert other.figures()["pixel_accuracy"] == pytest.approx(16 / 24)


def test_a_class_that_nobody_names_is_in_no_mean():
    scores = PixelScores(("cat", "dog"))
    ids = np.zeros((3, 3), int)
    scores.add({"masks": as_masks(ids, ("cat", "dog"))}, [], (3, 3))
    assert scores.figures() == {"miou": 0.0, "pixel_accuracy": 0.0}
    assert [row["class"] for row in scores.per_class()] == ["cat"]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ({"size": [3, 4], "counts": "0<"}, "4 x 3 pixels"),
        ({"size": [3, 3], "counts": "05"}, "do not fill"),
        ({"size": [3, 3], "counts": "0P"}, "cannot be read"),
        ({"size": [3, 3], "counts": "0o"}, "cannot be read"),
    ],
)
def test_a_mask_that_is_none_of_the_picture_costs_that_picture_alone(mask, words):
    scores = PixelScores(("cat",))
    with pytest.raises(TruthError, match=words):
        scores.add({"masks": [{"class": "cat", "mask": mask}]}, [], (3, 3))
    assert scores.figures()["miou"] is None
