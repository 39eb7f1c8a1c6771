"""Parameters of detection and segmentation: defaults, refusals, and classes held to the labels."""

import pytest

from models.catalog import check_params, params_schema, result_schema
from models.records.errors import ParamsError

LABELS = ("cat", "dog", "N/A", "N/A", "fire hydrant")


def test_a_detection_has_sensible_defaults():
    assert check_params("detection", {}) == {
        "decode": "fast",
        "min_confidence": 0.5,
        "classes": None,
        "nms_iou": None,
        "max_detections": 100,
    }


@pytest.mark.parametrize("task", ["detection", "segmentation"])
@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"classes": []}, "classes"),
        ({"classes": "cat"}, "classes"),
        ({"classes": [3]}, "classes.0"),
        ({"max_detections": 0}, "max_detections"),
        ({"top_k": 3}, "top_k"),
    ],
)
def test_a_bad_parameter_is_named(task, params, param):
    with pytest.raises(ParamsError) as caught:
        check_params(task, params)
    assert caught.value.param == param


def test_classes_that_the_model_knows_are_accepted():
    assert check_params("detection", {"classes": ["dog"]}, LABELS)["classes"] == ["dog"]


def test_a_class_that_the_model_does_not_know_is_refused_with_the_nearest_name():
    with pytest.raises(ParamsError, match=r"'hydrant'.*'fire hydrant'") as caught:
        check_params("segmentation", {"classes": ["cat", "hydrant"]}, LABELS)
    assert caught.value.param == "classes"


def test_without_labels_and_without_classes_nothing_is_held_against_them():
    check_params("detection", {"classes": ["whatever"]})
    check_params("classification", {}, LABELS)


@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_schemas_close_parameters_and_describe_predictions(task):
    assert params_schema(task)["additionalProperties"] is False
    required = set(result_schema(task)["items"]["required"])
    assert {"class", "class_id", "confidence"} < required
