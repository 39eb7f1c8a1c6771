"""What is not understood of a file is refused in one line, with the flag that decides."""

import pytest

from models.onnx_models.reading.describing import describe
from models.records.errors import RecordError
from tests.unit.models.onnx_models.files import COCO, facts, metadata, port, ultralytics

SIX = facts((1, 6), size=(224, 224))
REFUSED = [
    ("three inputs", {}, port(1, 3, 8, 8, count=3), ["3 inputs", "images2", "exactly one"]),
    ("no inputs", {}, port(count=0), ["0 inputs", "none"]),
    ("a batch of 4", {}, port(4, 3, 640, 640), ["4 pictures", "dynamic batch", "(4, 3, 640, 640)"]),
    ("tokens", {}, port(1, 77), ["(1, 77)", "(batch, channels, height, width)"]),
    ("no batch of 5 channels", {}, port(5, 640, 640), ["(5, 640, 640)", "were expected"]),
    ("channels last", {}, port(1, 640, 640, 3), ["NHWC", "channels first", "(1, 640, 640, 3)"]),
    ("channels last of any size", {}, port(None, None, None, 3), ["NHWC", "(?, ?, ?, 3)"]),
    ("four channels", {}, port(1, 4, 64, 64), ["(1, 4, 64, 64)", "1 or 3 channels"]),
    ("doubles", {}, port(1, 3, 64, 64, dtype="tensor(double)"), ["double", "export it", "float32"]),
    ("signed", {}, port(1, 3, 64, 64, dtype="tensor(int8)"), ["tensor(int8)", "float32", "uint8"]),
    (
        "bytes with a scale",
        {"labels": COCO, "options": {"scale": "imagenet"}},
        facts((1, 84, 8400), kind="tensor(uint8)"),
        ["uint8", "leave --scale imagenet"],
    ),
    (
        "bytes that are normalised",
        {
            "labels": COCO,
            "preprocess": {"channels": 3, "mean": [0] * 3, "std": [1] * 3, "letterbox": [640, 640]},
        },
        facts((1, 84, 8400), kind="tensor(uint8)"),
        ["0 to 255", "1 / 255"],
    ),
    (
        "unknown outputs",
        {"labels": COCO},
        facts((1, 3, 80, 80, 85), (1, 3, 40, 40, 85)),
        ["(1, 3, 80, 80, 85)", "--head", "yolo-anchors"],
    ),
    ("no labels", {}, facts((1, 84, 8400)), ["80 labels", "--labels", "(1, 84, 8400)"]),
    (
        "few labels",
        {"labels": ("a", "b")},
        facts((1, 84, 8400)),
        ["2 labels", "80 labels", "--labels"],
    ),
    (
        "a wrong number of names",
        {},
        ultralytics((1, 84, 8400), count=79),
        ["79 labels", "80 labels"],
    ),
    (
        "scores or a vector",
        {},
        SIX,
        ["classifier", "embedder", "--task", "--head classifier", "(1, 6)"],
    ),
    ("scores without labels", {"task": "classification"}, SIX, ["6 labels", "--labels"]),
    (
        "a vector with labels",
        {"task": "embedding", "labels": ("a",)},
        SIX,
        ["1 labels", "0 labels"],
    ),
    (
        "DETR or RT-DETR",
        {},
        facts((1, 100, 92), (1, 100, 4)),
        ["detr (detection, 91 labels)", "rt-detr (detection, 92 labels)", "--labels"],
    ),
    (
        "two classes of queries or rows of six",
        {"labels": ("a", "b")},
        facts((1, 300, 6)),
        ["end-to-end", "rt-detr-ultralytics", "--head"],
    ),
    (
        "another task",
        {"task": "segmentation", "labels": COCO},
        facts((1, 84, 8400)),
        ["'segmentation'", "yolo (detection", "--task detection"],
    ),
    (
        "a head of another task",
        {"task": "segmentation", "options": {"head": "yolo"}, "labels": COCO},
        facts((1, 84, 8400)),
        ["'yolo'", "--head", "'segmentation'", "--task detection"],
    ),
    (
        "a head that does not fit",
        {"options": {"head": "yolox"}, "labels": COCO},
        facts((1, 84, 8400)),
        ["--head yolox", "(B, cells, 5 + classes)", "(1, 84, 8400)"],
    ),
    (
        "no such head",
        {"options": {"head": "yolo9000"}},
        facts((1, 84, 8400)),
        ["'yolo9000'", "yolo-masks"],
    ),
    (
        "no such option",
        {"options": {"nms": 1}},
        facts((1, 84, 8400)),
        ["'nms'", "least_confidence"],
    ),
    ("poses", {}, metadata(author="Ultralytics", task="pose"), ["'pose'", "detect, segment"]),
    ("names of code", {}, metadata(names="__import__('os')"), ["`names`", "literal"]),
    ("names nested deep", {}, metadata(names="[" * 5000), ["`names`", "literal"]),
    ("names without end", {}, metadata(names="[" + "'a'," * 90_000 + "]"), ["`names`", "360,002"]),
    ("names not numbered", {}, metadata(names="{1: 'a', 2: 'b'}"), ["`names`", "--labels"]),
    ("names of numbers", {}, metadata(names="[1, 2]"), ["`names`", "'person'"]),
    (
        "a size of letters",
        {},
        metadata(author="Ultralytics", imgsz="['a', 4]"),
        ["`imgsz`", "[height, width]"],
    ),
    (
        "an oblong classifier",
        {"labels": ("a", "b")},
        facts((1, 2), taken=(1, 3, 224, 160), size=(224, 160)),
        ["224 x 160", "square"],
    ),
    (
        "another size than the file's",
        {
            "labels": COCO,
            "preprocess": {"channels": 3, "mean": [0] * 3, "std": [1] * 3, "letterbox": [320, 320]},
        },
        facts((1, 84, 8400), taken=(1, 3, 640, 640)),
        ["320 x 320", "640 x 640"],
    ),
    (
        "other channels than the file's",
        {
            "labels": COCO,
            "preprocess": {"channels": 1, "mean": [0], "std": [1], "fixed": [640, 640]},
        },
        facts((1, 84, 8400), taken=(1, 3, 640, 640)),
        ["channels is 1", "3"],
    ),
]


@pytest.mark.parametrize(
    ("asked", "found", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_what_is_not_understood_is_refused_in_one_line(asked, found, says):
    with pytest.raises(RecordError) as refusal:
        describe(asked, found)
    message = str(refusal.value)
    assert all(word in message for word in says), message
    assert "\n" not in message
    assert message.endswith(".")
