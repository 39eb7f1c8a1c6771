"""What a job may ask of a zero-shot classifier, and how its answers are told and compared."""

import json

import pytest

from models.answers.agreement import measure_of
from models.contracts import check_params, params_schema, result_schema
from models.records.errors import ParamsError
from models.runtime.task_tables import TASKS

TASK = "zero-shot-classification"
LABELS = ["a cat", "a dog"]


def test_labels_are_the_jobs_and_all_else_has_a_default():
    assert check_params(TASK, {"labels": LABELS}, ("zero-shot-classification",), {}) == {
        "labels": LABELS,
        "template": "This is a photo of {}.",
        "top_k": 1,
        "min_confidence": 0.0,
        "decode": "exact",
    }
    thousand = [f"thing {number}" for number in range(1000)]
    assert check_params(TASK, {"labels": thousand})["labels"] == thousand


@pytest.mark.parametrize(
    ("params", "param", "word"),
    [
        ({}, "labels", "required"),
        ({"labels": []}, "labels", "at least 1"),
        ({"labels": "a cat"}, "labels", "list"),
        ({"labels": [f"{n}" for n in range(1001)]}, "labels", "at most 1000"),
        ({"labels": ["a cat", "a dog", "a cat"]}, "labels", "'a cat' stands in it twice"),
        ({"labels": ["a cat", ""]}, "labels.1", "at least 1"),
        ({"labels": ["a cat", " "]}, "labels.1", "blank"),
        ({"labels": ["a cat", 3]}, "labels.1", "string"),
        ({"labels": ["x" * 101]}, "labels.0", "at most 100"),
        ({"labels": [f"{n:040}" for n in range(501)]}, "labels", "20000 characters"),
        ({"labels": ["a\ncat"]}, "labels.0", "control"),
        ({"labels": ["a\0cat"]}, "labels.0", "control"),
        ({"labels": ["\ud800"]}, "labels.0", ""),
        ({"labels": LABELS, "template": "a photo"}, "template", "exactly once"),
        ({"labels": LABELS, "template": "{} and {}"}, "template", "exactly once"),
        ({"labels": LABELS, "template": "{} {0}"}, "template", "no other braces"),
        ({"labels": LABELS, "template": "{{}}"}, "template", "no other braces"),
        ({"labels": LABELS, "template": "{}" + "x" * 200}, "template", "at most 200"),
        ({"labels": LABELS, "template": None}, "template", "string"),
        ({"labels": LABELS, "top_k": 0}, "top_k", ""),
        ({"labels": LABELS, "classes": ["a cat"]}, "classes", ""),
    ],
)
def test_a_bad_parameter_is_named(params, param, word):
    with pytest.raises(ParamsError) as caught:
        check_params(TASK, params)
    assert caught.value.param == param
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_for_a_list_is_shown_how_a_list_is_written():
    with pytest.raises(ParamsError, match=r"""as JSON: .*--param 'labels=\["cat", "dog"\]'"""):
        check_params(TASK, {"labels": "cat, dog"})
    with pytest.raises(ParamsError, match=r"""--param 'classes=\["bolt"\]'"""):
        check_params("detection", {"classes": "bolt"})


def test_labels_may_be_of_any_script():
    labels = ["кот", "猫", "می‌خواهم", "👩‍🚀", "a 'cat' {"[:-1]]
    assert check_params(TASK, {"labels": labels})["labels"] == labels


def test_the_schemas_tell_what_labels_and_templates_are():
    schema = json.loads(json.dumps(params_schema(TASK)))
    assert schema["required"] == ["labels"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["labels"]["maxItems"] == 1000
    items = result_schema(TASK)["items"]
    assert set(items["required"]) == {"class", "class_id", "confidence"}


def test_labels_are_put_into_the_template():
    steps = TASKS[TASK].texts
    params = check_params(TASK, {"labels": LABELS, "template": "{}, drawn"})
    assert steps.named(params) == ("a cat, drawn", "a dog, drawn")


def test_answers_agree_by_their_first_label_whatever_a_record_names():
    measure = measure_of(TASK)
    cat, dog = [{"class": "a cat"}, {"class": "a dog"}], [{"class": "a dog"}]
    assert (measure.similarity(cat, cat[:1]), measure.similarity(cat, dog)) == (1.0, 0.0)
    assert (measure.by_class, measure.with_first_class) == (False, True)
