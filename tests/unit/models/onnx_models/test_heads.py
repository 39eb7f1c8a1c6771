"""Heads one by one: scores, layers, rows that are objects already, and masks."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.parity.onnx_heads.outputs import (
    CELLS,
    SIZE,
    batch,
    raw_masks,
    rows_of,
    smooth_masks,
    ssd,
    yolo,
    yolo_anchors,
    yolox,
)
from benchmarks.parity.onnx_heads.segmenters import predicted, published_mask
from models.answers import rle
from models.catalog import ModelRecord, check_params
from models.media.pictures import Picture
from models.onnx_models.reading.expected_inputs import letterboxed
from models.onnx_models.reading.heads.table import HEADS
from models.onnx_models.reading.shapes import PictureInput
from models.records.options import OnnxOptions
from models.tasks import classification, detection

OPTIONS = OnnxOptions(least_confidence=0.25)
CPU = torch.device("cpu")
HEIGHT, WIDTH = SIZE
LETTERBOXED = letterboxed(PictureInput(3, HEIGHT, WIDTH, free=False, one_at_a_time=False))


def decode(name, *outputs, options=OPTIONS):
    return HEADS[name].decode(outputs, SIZE, options)


def chances(record, logits, **given):
    params = check_params("classification", {"top_k": 9, **given}, record.labels)
    return classification.postprocess(record, logits, params)


CLASSES = ModelRecord("m", "classification", "onnx", ("a", "b", "c"), {})


def test_probabilities_come_out_as_they_went_in():
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0]])
    logits = decode("classifier", shares, options=OnnxOptions(outputs="probabilities"))
    assert logits.isfinite().all()
    assert torch.allclose(logits.softmax(1), shares, atol=1e-6)
    told = chances(CLASSES, logits)[0]
    assert [(each["class"], each["confidence"]) for each in told][:2] == [
        ("a", pytest.approx(0.7)),
        ("b", pytest.approx(0.3)),
    ]


def test_logits_stay_what_they_are_also_as_maps_of_one_pixel():
    logits = torch.randn(2, 3)
    assert torch.equal(decode("classifier", logits), logits)
    assert torch.equal(decode("classifier", logits[:, :, None, None]), logits)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_a_score_alone_is_that_of_the_second_of_two_classes(outputs):
    logit = torch.tensor([[2.0], [-1.0]])
    given = logit if outputs == "logits" else logit.sigmoid()
    both = decode("classifier", given, options=OnnxOptions(outputs=outputs))
    assert torch.allclose(both.softmax(1)[:, 1], logit.sigmoid()[:, 0])


def test_embedders_give_the_vectors_and_no_sequence():
    vectors = torch.randn(2, 8)
    assert torch.equal(decode("embedder", vectors), vectors)
    assert torch.equal(decode("embedder", torch.randn(2, 5, 8), vectors), vectors)


def test_layers_are_scores_and_the_auxiliary_one_is_left_out():
    layers, other = torch.randn(2, 2, 3, 8, 12)
    assert torch.equal(decode("semantic", layers, other), layers)
    alone = decode("semantic", layers[:, :1])
    assert torch.allclose(alone.softmax(1)[:, 1], layers[:, 0].sigmoid())


def test_rows_of_six_are_objects_and_those_left_over_none():
    rows = torch.tensor(
        [
            [[1, 2, 30, 40, 0.9, 3], [-5, -5, 200, 20, 0.5, 1], [0, 0, 0, 0, 0, 0]],
            [[1, 2, 3, 4, 0.2, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
        ]
    )
    first, second = decode("end-to-end", rows)
    assert rows_of(first) == [
        (3, pytest.approx(0.9), 1, 2, 30, 40),
        (1, 0.5, 0, 0, WIDTH, 20),
    ]
    assert first["labels"].dtype == torch.int64
    assert rows_of(second) == []


def test_rows_of_seven_name_class_before_score():
    rows = torch.tensor([[0, 1, 2, 30, 40, 5, 0.75], [0, 1, 2, 3, 4, 1, 0.1]])
    (found,) = decode("yolov7-end-to-end", rows)
    assert rows_of(found) == [(5, 0.75, 1, 2, 30, 40)]
    assert rows_of(decode("yolov7-end-to-end", torch.zeros(0, 7))[0]) == []


def test_of_four_outputs_as_many_rows_count_as_the_first_says():
    boxes = torch.tensor([[1.0, 2, 30, 40], [2, 3, 31, 41], [3, 4, 32, 42]]).expand(2, 3, 4)
    scores = torch.tensor([[0.9, 0.8, 0.7], [0.9, 0.1, 0.7]])
    classes = torch.tensor([[1.0, 2, 0], [2, 0, 1]])
    first, second = decode("efficient-nms", torch.tensor([[2.0], [3.0]]), boxes, scores, classes)
    assert [row[0] for row in rows_of(first)] == [1, 2]
    assert [row[0] for row in rows_of(second)] == [2, 1]


@pytest.mark.parametrize("scores_first", [False, True])
def test_torchvisions_objects(scores_first):
    boxes = torch.tensor([[1.0, 2, 30, 40], [3, 4, 32, 42]])
    labels, scores = torch.tensor([17.0, 2.0]), torch.tensor([0.9, 0.1])
    if scores_first:
        (found,) = decode("torchvision-scores-first", boxes, scores, labels)
    else:
        (found,) = decode("torchvision", boxes, labels, scores)
    assert rows_of(found) == [(17, pytest.approx(0.9), 1, 2, 30, 40)]


def test_torchvisions_masks_are_kept_for_the_objects_that_are_told():
    boxes, masks = torch.tensor([[0.0, 0, 9, 9], [8, 8, 40, 30]]), torch.rand(2, 1, *SIZE)
    given = boxes, torch.tensor([1.0, 2.0]), torch.tensor([0.1, 0.9]), masks
    (found,) = decode("torchvision-masks", *given)
    assert rows_of(found) == [(2, pytest.approx(0.9), 8, 8, 40, 30)]
    assert torch.allclose(found["whole_masks"].chances(0), masks[1, 0], atol=0.002)


CASES = {
    "yolo": lambda: (batch(yolo),),
    "yolo-anchors": lambda: (batch(yolo_anchors),),
    "yolox": lambda: (batch(yolox),),
    "yolox-decoded": lambda: (batch(lambda seed: yolo_anchors(seed, rows=CELLS)),),
    "yolo-masks": lambda: tuple(map(torch.stack, zip(*map(raw_masks, range(3)), strict=True))),
    "end-to-end": lambda: (torch.rand(3, 20, 6),),
    "detr": lambda: (torch.randn(3, 20, 5), torch.rand(3, 20, 4)),
    "rt-detr": lambda: (torch.randn(3, 20, 5), torch.rand(3, 20, 4)),
    "rt-detr-ultralytics": lambda: (torch.rand(3, 20, 9),),
    "ssd": lambda: (torch.rand(3, 20, 4), torch.rand(3, 20, 5)),
    "ssd-without-background": lambda: (torch.rand(3, 20, 4), torch.rand(3, 20, 5)),
    "efficient-nms": lambda: (
        torch.tensor([[4.0], [0.0], [20.0]]),
        torch.rand(3, 20, 4),
        torch.rand(3, 20),
        torch.rand(3, 20).round(),
    ),
}


def test_every_head_for_batches_is_tried_beside_neighbours():
    several = {each.name for each in HEADS.values() if not each.single}
    assert several - set(CASES) == {"classifier", "embedder", "semantic"}


@pytest.mark.parametrize("name", CASES)
def test_no_picture_changes_its_neighbours_answer(name):
    torch.manual_seed(0)
    outputs = CASES[name]()
    together = decode(name, *outputs)
    for row, found in enumerate(together):
        (alone,) = decode(name, *(each[row : row + 1] for each in outputs))
        assert rows_of(alone) == rows_of(found)
    assert len({str(rows_of(each)) for each in together}) == 3


def test_a_picture_with_nothing_sure_has_no_objects():
    for name in ("yolo", "yolo-anchors", "yolox-decoded"):
        (found,) = decode(name, CASES[name]()[0][:1] * 0)
        assert found["boxes"].shape == (0, 4)
        assert found["labels"].dtype == torch.int64


class Bright(nn.Module):
    """A YOLO that finds one object: the box around all bright pixels of each sample."""

    def forward(self, batch):
        raw = torch.zeros(len(batch), 6, CELLS)
        for row, picture in enumerate(batch):
            down, across = (picture[0] > 0.6).nonzero().unbind(1)
            x1, y1, x2, y2 = across.min(), down.min(), across.max() + 1, down.max() + 1
            box = torch.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))
            raw[row, :4, 5], raw[row, 5, 5] = box, 0.9
        return decode("yolo", raw)


def test_boxes_are_found_where_they_are_in_pictures_of_any_shape():
    record = ModelRecord("m", "detection", "onnx", ("a", "b"), LETTERBOXED)
    boxes = {(64, 96): (8, 8, 32, 24), (480, 320): (64, 96, 192, 320), (90, 400): (96, 16, 320, 64)}
    samples = []
    for (height, width), (x1, y1, x2, y2) in boxes.items():
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[y1:y2, x1:x2] = 255
        samples.append(detection.prepare(record, Picture(pixels, width, height)))
    outputs = detection.infer(record, Bright(), samples, CPU)
    for found, ((height, width), box) in zip(outputs, boxes.items(), strict=True):
        assert (found.height, found.width) == (height, width)
        assert found.labels.tolist() == [1]
        pixel = max(height / HEIGHT, width / WIDTH)
        assert found.boxes[0].tolist() == pytest.approx(box, abs=pixel)


@pytest.mark.parametrize("size", [(64, 96), (640, 960), (333, 220), (100, 400), (50, 50)])
def test_masks_of_a_letterboxed_picture_are_those_of_the_published_rule(size):
    raw, layers = smooth_masks(4)
    told = predicted("yolo-masks", (raw[None], layers[None]), LETTERBOXED, size)
    sure = [each for each in told if each["confidence"] >= 0.3]
    assert len(sure) > 3
    scores = raw[4:8].amax(0)
    for each in sure:
        row = int((scores - each["confidence"]).abs().argmin())
        expected = published_mask(raw, layers, row, SIZE, size)
        ours = rle.decode(each["mask"])
        assert ours.shape == size
        assert each["area"] == ours.sum()
        assert (ours ^ expected).sum() <= 0.002 * max(expected.sum(), 500)


def test_ssds_logits_with_a_background_are_a_softmaxs():
    boxes, logits = ssd()
    ours = decode("ssd", boxes, logits * 9, options=OnnxOptions(outputs="logits"))
    theirs = decode("ssd", boxes, (logits * 9).softmax(-1), options=OnnxOptions())
    assert [rows_of(each) for each in ours] == [rows_of(each) for each in theirs]
