"""Detection: boxes in the original's pixels, filtered and sorted as the parameters say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.catalog import SHIPPED, ModelRecord, check_params
from models.media.pictures import decode
from models.pictures.data import encode
from models.preprocessing.letterbox import Placement
from models.preprocessing.whole_pictures import WholePicture, resize_whole
from models.records.errors import ImageTooLarge, RecordError
from models.tasks import detection
from models.tasks.detection import Found

RECORD = ModelRecord(
    name="boxes",
    task="detection",
    architecture="none",
    labels=("cat", "dog", "cow"),
    preprocess={
        "channels": 3,
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "antialias": False,
        "shorter": 40,
        "longer": 60,
    },
)
CPU = torch.device("cpu")


def sample_of(record, data):
    return detection.prepare(record, decode(data, detection.channels(record), record.limits))


def params(**given):
    return check_params("detection", given, RECORD.labels)


def found(*rows):
    """Objects from (label, score, x1, y1, x2, y2)."""
    labels, scores, *sides = zip(*rows, strict=True)
    boxes = torch.tensor(sides, dtype=torch.float32).T
    return Found(100, 200, boxes, torch.tensor(scores), torch.tensor(labels))


OBJECTS = found(
    (0, 0.6, 10, 10, 50, 50),
    (1, 0.9, 12, 10, 50, 50),
    (0, 0.8, 11, 10, 50, 50),
    (2, 0.3, 100, 20, 150, 90),
    (0, 0.7, 100, 20, 150, 90),
)


def classes_of(**given):
    (predictions,) = detection.postprocess(RECORD, [OBJECTS], params(**given))
    return [(each["class"], round(each["confidence"], 2)) for each in predictions]


def test_objects_are_sorted_by_confidence_and_unsure_ones_left_out():
    assert classes_of() == [("dog", 0.9), ("cat", 0.8), ("cat", 0.7), ("cat", 0.6)]
    assert classes_of(min_confidence=0.1)[-1] == ("cow", 0.3)


def test_only_the_classes_asked_for_are_reported():
    assert classes_of(classes=["cow", "dog"], min_confidence=0.0) == [("dog", 0.9), ("cow", 0.3)]


def test_overlapping_objects_are_thinned_out_within_their_class_only():
    assert classes_of(nms_iou=0.5) == [("dog", 0.9), ("cat", 0.8), ("cat", 0.7)]


def test_classes_without_a_label_are_not_reported():
    odd = found((3, 0.9, 10, 10, 50, 50), (-1, 0.9, 10, 10, 50, 50), (2, 0.8, 10, 10, 50, 50))
    (predictions,) = detection.postprocess(RECORD, [odd], params())
    assert [each["class"] for each in predictions] == ["cow"]


def test_at_most_so_many_of_the_most_confident_are_reported():
    assert classes_of(max_detections=2) == [("dog", 0.9), ("cat", 0.8)]


def test_a_prediction_is_plain_data_with_a_box_in_pixels():
    (predictions,) = detection.postprocess(RECORD, [OBJECTS], params(max_detections=1))
    assert predictions == [
        {
            "class": "dog",
            "class_id": 1,
            "confidence": pytest.approx(0.9),
            "box": {"x": 12.0, "y": 10.0, "width": 38.0, "height": 40.0},
        }
    ]
    assert all(type(side) is float for side in predictions[0]["box"].values())


class Bright(nn.Module):
    """Finds one object: the box around all bright pixels; notes the batches it was given."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, batch):
        self.batches.append(tuple(batch.shape))
        return [self.find(picture[0]) for picture in batch]

    def find(self, picture):
        rows, columns = (picture > 0.5).nonzero().unbind(1)
        sides = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return {
            "boxes": torch.tensor([[float(side) for side in sides]]),
            "scores": torch.ones(1),
            "labels": torch.zeros(1, dtype=torch.int64),
        }


def picture(height, width, box):
    x1, y1, x2, y2 = box
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y1:y2, x1:x2] = 255
    return encode(pixels, ".png")


def test_boxes_speak_of_the_original_whatever_its_size_and_its_neighbours():
    boxes = [(20, 10, 60, 30), (100, 200, 300, 500), (20, 10, 60, 30), (8, 16, 24, 40)]
    sizes = [(80, 120), (600, 400), (80, 120), (50, 50)]
    items = [picture(*size, box) for size, box in zip(sizes, boxes, strict=True)]
    samples = [sample_of(RECORD, item) for item in items]
    network = Bright()
    outputs = detection.infer(RECORD, network, samples, CPU)
    assert sorted(shape[0] for shape in network.batches) == [1, 1, 2], "one run a shape"
    for output, box in zip(outputs, boxes, strict=True):
        scale = min(output.height, output.width) / 40
        assert output.boxes[0].tolist() == pytest.approx(box, abs=scale)
    alone = [detection.infer(RECORD, network, [sample], CPU)[0] for sample in samples]
    assert [each.boxes.tolist() for each in alone] == [each.boxes.tolist() for each in outputs]
    assert len(outputs[1:3]) == 2, "outputs can be taken apart by sample"


def test_boxes_speak_of_the_original_where_its_proportions_are_changed():
    plain = {**RECORD.preprocess, "fixed": [32, 32], "shorter": None, "longer": None}
    record = replace(RECORD, preprocess=plain)
    sample = sample_of(record, picture(64, 320, (100, 16, 220, 48)))
    assert sample.pixels.shape == (3, 32, 32)
    (output,) = detection.infer(record, Bright(), [sample], CPU)
    assert output.boxes[0].tolist() == pytest.approx([100, 16, 220, 48], abs=10)


@pytest.mark.parametrize("size", [(427, 640), (33, 57), (40, 60), (1000, 90)])
def test_pictures_are_resized_as_torchvisions_detectors_resize_them(size):
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    spec = WholePicture.read(RECORD.preprocess)
    transform = GeneralizedRCNNTransform(40, 60, [0.0] * 3, [1.0] * 3).eval()
    theirs, _ = transform.resize(torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    ours = resize_whole(pixels, spec, RECORD.limits)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 1e-5


def test_a_strip_of_which_nothing_would_be_left_is_too_large():
    with pytest.raises(ImageTooLarge, match="less elongated"):
        sample_of(RECORD, encode(np.zeros((1, 100), np.uint8), ".png"))


@pytest.mark.parametrize(
    "change",
    [
        {"shorter": None},
        {"fixed": [10, 10]},
        {"fixed": [10], "shorter": None},
        {"longer": 0},
        {"channels": 2},
        {"crop": 3},
    ],
)
def test_preprocessing_that_contradicts_itself_is_refused(change):
    with pytest.raises(RecordError, match=r"\.$"):
        WholePicture.read({**RECORD.preprocess, **change})


def test_a_blank_sample_has_the_size_of_a_real_one():
    assert detection.blank(RECORD).pixels.shape == (3, 40, 53)


def test_what_lies_in_the_frame_beside_the_picture_is_no_object() -> None:
    record = SHIPPED["scenes-detector"]
    boxes = torch.tensor([[1.0, 0.0, 5.0, 0.0], [1.0, 0.0, 5.0, 3.0]])
    found = Found(
        10, 10, boxes, torch.tensor([0.9, 0.8]), torch.tensor([1, 2]), inside=Placement(2, 0, 6, 10)
    )
    params = check_params("detection", {})
    assert [each["class"] for each in detection.postprocess(record, [found], params)[0]] == ["2"]
