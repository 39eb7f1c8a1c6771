"""A file's facts say what its record leaves out."""

import json

import pytest

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.describing import describe
from models.onnx_models.reading.heads.table import HEADS
from models.records.errors import RecordError
from models.records.options import read_onnx_options
from models.records.record import ModelRecord
from models.runtime.task_tables import TASKS
from tests.unit.models.onnx_models.files import COCO, FLOAT, facts, metadata, ultralytics


def described(asked, found):
    """Describe, and hold what is given against everything that would read it."""
    told = describe(asked, found)
    record = ModelRecord(
        name="m",
        architecture="onnx",
        **{name: value for name, value in {**asked, **told}.items() if name != "provenance"},
    )
    TASKS[record.task].check(record)
    head = HEADS[read_onnx_options(record.options).head]
    assert head.task == record.task
    again = ModelRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again.labels == record.labels
    return told


def test_an_ultralytics_detector_says_everything():
    told = described({}, ultralytics((1, 84, 8400)))
    assert told["task"] == "detection"
    assert told["labels"] == COCO
    assert told["options"] == {"head": "yolo"}
    assert told["preprocess"] == {
        "channels": 3,
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "letterbox": [640, 640],
        "align": "center",
        "resize_by": "opencv",
    }
    assert told["max_batch"] > 1
    assert told["description"] == "Ultralytics YOLOv8n model trained on coco.yaml"
    assert told["provenance"] == {
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        "author": "Ultralytics",
    }


def test_what_the_caller_gave_is_left_to_the_caller():
    asked = {
        "labels": ["x"] * 80,
        "description": "Mine.",
        "max_batch": 3,
        "options": {"iou": 0.5},
    }
    told = describe(asked, ultralytics((1, 84, 8400)))
    assert not {"labels", "description", "max_batch"} & set(told)
    assert told["options"] == {"iou": 0.5, "head": "yolo"}


def test_sizes_come_from_the_file_then_from_metadata_then_from_custom():
    oblong = {"taken": (1, 3, 384, 640), "size": (384, 640), "imgsz": "[384, 640]"}
    fixed = ultralytics((1, 84, 5040), **oblong)
    told = described({}, fixed)
    assert told["preprocess"]["letterbox"] == [384, 640]
    assert told["max_batch"] == 1, "a fixed batch of one"
    small = ultralytics((1, 84, 8400), imgsz="[320, 416]")
    assert described({}, small)["preprocess"]["letterbox"] == [320, 416]
    told = described({"labels": COCO}, facts((1, 84, 8400)))
    assert told["preprocess"]["letterbox"] == [640, 640]
    assert "640 x 640 was assumed" in told["description"]


def test_an_ultralytics_classifier_has_gone_through_a_softmax():
    made = ultralytics((1, 10), count=10, task="classify", imgsz="[224, 224]", size=(224, 224))
    told = described({}, made)
    assert told["options"] == {"head": "classifier", "outputs": "probabilities"}
    assert (told["preprocess"]["resize"], told["preprocess"]["crop"]) == (224, 224)
    assert told["preprocess"]["mean"] == [0.0] * 3
    assert "probabilities" in told["description"]


def test_another_classifier_has_imagenets_preprocessing():
    asked = {"labels": ("a", "b"), "options": {"scale": "imagenet"}}
    told = described(asked, facts((1, 2), size=(224, 224), taken=(None, 3, 224, 224)))
    assert told["options"] == {"head": "classifier", "outputs": "logits", "scale": "imagenet"}
    assert "'imagenet' (options.scale)" in told["description"]
    assert (told["preprocess"]["resize"], told["preprocess"]["crop"]) == (256, 224)
    assert told["preprocess"]["std"] == [0.229, 0.224, 0.225]
    named = facts((1, 2), called=["softmaxout_1"])
    assert described(asked, named)["options"]["outputs"] == "probabilities"
    chosen = {"labels": ("a", "b"), "options": {"outputs": "logits", "scale": "unit"}}
    assert described(chosen, named)["options"]["outputs"] == "logits"


def test_grey_pictures_keep_their_one_channel():
    grey = facts((1, 10), taken=(None, 1, 28, 28), size=(28, 28))
    asked = {"labels": tuple("0123456789"), "options": {"scale": "unit"}}
    assert described(asked, grey)["preprocess"] == {
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
        "resize": 32,
        "crop": 28,
        "interpolation": "bilinear",
        "resize_by": "torchvision",
    }


RECOGNISED = [
    ("embedder", {"task": "embedding"}, facts((1, 512), size=(224, 224))),
    ("embedder", {"task": "embedding"}, facts((1, 197, 768), (1, 768), size=(224, 224))),
    ("semantic", {"labels": COCO[:21]}, facts((1, 21, 520, 520), (1, 21, 520, 520))),
    ("semantic", {"labels": COCO[:2]}, facts((1, 1, 160, 160))),
    ("yolo-anchors", {"labels": COCO}, facts((1, 25200, 85))),
    ("yolo-anchors", {"labels": COCO[:1]}, facts((1, 25200, 6))),
    ("yolo", {"labels": COCO[:1]}, facts((1, 5, 8400))),
    ("yolo", {"labels": COCO}, facts((1, 84, 34000))),
    ("yolox", {"labels": COCO}, facts((1, 8400, 85))),
    ("yolox", {"labels": COCO}, facts((1, 3549, 85), size=(416, 416), taken=(1, 3, 416, 416))),
    ("yolox-decoded", {"labels": COCO, "options": {"head": "yolox-decoded"}}, facts((1, 8400, 85))),
    ("yolo-masks", {"labels": COCO}, facts((1, 116, 8400), (1, 32, 160, 160))),
    ("end-to-end", {"labels": COCO}, facts((1, 300, 6))),
    ("end-to-end", {}, ultralytics((1, 300, 6), count=2, said="YOLOv10n")),
    ("rt-detr-ultralytics", {}, ultralytics((1, 300, 6), count=2, said="rtdetr-l")),
    ("rt-detr-ultralytics", {}, ultralytics((1, 300, 84), said="rtdetr-l")),
    ("yolov7-end-to-end", {"labels": COCO}, facts((0, 7), declared=[(None, 7)])),
    ("efficient-nms", {"labels": COCO}, facts((1, 1), (1, 100, 4), (1, 100), (1, 100))),
    ("detr", {"labels": COCO}, facts((1, 100, 81), (1, 100, 4))),
    ("rt-detr", {"labels": COCO}, facts((1, 300, 80), (1, 300, 4))),
    ("ssd", {"labels": ("face",)}, facts((1, 4420, 2), (1, 4420, 4), size=(240, 320))),
    ("ssd-without-background", {"labels": COCO[:5]}, facts((1, 8732, 4), (1, 8732, 5))),
    (
        "torchvision",
        {"labels": COCO},
        facts((0, 4), (0,), (0,), dtypes=[FLOAT, "tensor(int64)", FLOAT]),
    ),
    (
        "torchvision-scores-first",
        {"labels": COCO},
        facts((0, 4), (0,), (0,), dtypes=[FLOAT, FLOAT, "tensor(int64)"]),
    ),
    (
        "torchvision-masks",
        {"labels": COCO},
        facts((0, 4), (0,), (0,), (0, 1, 9, 9), dtypes=[FLOAT, "tensor(int64)", FLOAT, FLOAT]),
    ),
]


@pytest.mark.parametrize(("head", "asked", "found"), RECOGNISED)
def test_shapes_tell_the_head(head, asked, found):
    said = {"scale": "unit"} if HEADS[head].scale_is_open else {}
    told = described({**asked, "options": {**asked.get("options", {}), **said}}, found)
    assert told["options"]["head"] == head
    assert told["task"] == HEADS[head].task if "task" not in asked else "task" not in told
    assert (told["max_batch"] == 1) == (HEADS[head].single or found.inputs[0].shape[0] == 1)


def test_every_head_is_recognised_somewhere():
    assert {head for head, *_ in RECOGNISED} | {"classifier"} == set(HEADS)


def test_yolox_is_taken_to_be_in_cells_and_says_so():
    told = described({"labels": COCO}, facts((1, 8400, 85)))
    assert "--head yolox-decoded" in told["description"]
    assert told["preprocess"]["order"] == "bgr"
    assert told["preprocess"]["align"] == "corner"


def test_facts_that_travelled_as_json_say_the_same():
    made = ultralytics((1, 84, 8400))
    again = Facts.from_json(json.loads(json.dumps(made.to_json())))
    assert describe({}, again) == describe({}, made)


def test_declared_shapes_do_where_nothing_was_tried():
    told = described({"labels": COCO}, metadata())
    assert told["options"] == {"head": "yolo"}


def test_grids_of_unusual_strides_are_read_where_the_head_is_named() -> None:
    one_grid = facts((1, 7, 100), size=(320, 320))
    asked = {"labels": ("a", "b", "c"), "options": {"head": "yolo"}}
    assert describe(asked, one_grid)["options"]["head"] == "yolo"


@pytest.mark.parametrize(
    ("scale", "mean", "std"),
    [("unit", 0.0, 1.0), ("symmetric", 0.5, 0.5), ("imagenet", 0.485, 0.229)],
)
def test_a_scale_is_that_of_the_pixels(scale: str, mean: float, std: float) -> None:
    asked = {"labels": ("a", "b"), "options": {"scale": scale}}
    told = described(asked, facts((1, 2), size=(224, 224)))["preprocess"]
    assert (told["mean"][0], told["std"][0], len(told["mean"])) == (mean, std, 3)


def test_without_a_scale_a_classifier_is_refused_for_a_guess_would_answer_wrongly() -> None:
    with pytest.raises(RecordError, match="--scale imagenet"):
        described({"labels": ("a", "b")}, facts((1, 2), size=(224, 224)))


def test_a_detector_needs_no_scale_and_may_be_given_one() -> None:
    asked = {"labels": COCO, "options": {"scale": "symmetric"}}
    assert described(asked, facts((1, 84, 8400)))["preprocess"]["mean"] == [0.5] * 3


@pytest.mark.parametrize(("called", "head"), [("yolov8", "yolo"), ("yolo11", "yolo")])
def test_heads_are_known_by_what_people_call_their_networks(called: str, head: str) -> None:
    asked = {"labels": COCO, "options": {"head": called}}
    assert described(asked, facts((1, 84, 8400)))["options"]["head"] == head


def test_imagenets_scale_for_grey_is_the_average_of_the_three() -> None:
    grey = facts((1, 2), taken=(None, 1, 28, 28), size=(28, 28))
    told = described({"labels": ("a", "b"), "options": {"scale": "imagenet"}}, grey)["preprocess"]
    assert (told["mean"], told["std"]) == ([0.449], [0.226])


PREPARED = {
    "channels": 3,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "resize": 224,
    "crop": 224,
    "interpolation": "bicubic",
    "resize_by": "pillow",
}


def test_a_scale_that_contradicts_the_records_preprocess_is_refused() -> None:
    found = facts((1, 2), size=(224, 224))
    asked = {"labels": ("a", "b"), "preprocess": PREPARED, "options": {"scale": "unit"}}
    with pytest.raises(RecordError, match="drop one of the two, --scale or the preprocess"):
        described(asked, found)
    # As a model's own record has both, and they agree.
    described({**asked, "options": {"scale": "imagenet"}}, found)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"order": "bgr"},
            r"has `order`, which is not for pictures that are cropped.*crop_rounding",
        ),
        ({"crop": None, "resize": None}, "lacks `resize`, `crop`"),
        ({"interpolation": "cubic"}, "'cubic'.*'bicubic'"),
    ],
)
def test_members_of_preprocess_are_named_where_they_are_wrong(change, says) -> None:
    changed = {**PREPARED, **change}
    preprocess = {name: each for name, each in changed.items() if each is not None}
    with pytest.raises(RecordError, match=says) as caught:
        described({"labels": ("a", "b"), "preprocess": preprocess}, facts((1, 2), size=(224, 224)))
    assert "__init__" not in str(caught.value)


def test_members_of_whole_pictures_are_named_too() -> None:
    asked = {"labels": COCO, "preprocess": {**PREPARED, "fixed": [640, 640]}}
    with pytest.raises(RecordError, match="has `resize`, `crop`, which is not for whole pictures"):
        described(asked, facts((1, 84, 8400)))
