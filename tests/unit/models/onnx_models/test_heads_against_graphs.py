"""Heads choose what ONNX's own NonMaxSuppression chooses, run by onnxruntime."""

import pytest
import torch

from models.onnx_models.reading.heads.table import HEADS
from models.records.options import OnnxOptions
from tests.unit.models.onnx_models import graphs
from tests.unit.models.onnx_models.outputs import (
    CELLS,
    SIZE,
    batch,
    clipped,
    crowd,
    rows_of,
    yolo,
    yolo_anchors,
    yolox,
)

OPTIONS = OnnxOptions(iou=graphs.IOU, least_confidence=graphs.LEAST)


def assert_same(found, expected, size=SIZE):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        rows, others = rows_of(ours), clipped(theirs, size)
        assert len(others) > 3, "a picture with nothing proves nothing"
        assert [row[0] for row in rows] == [row[0] for row in others]
        flat = [value for row in rows for value in row]
        assert flat == pytest.approx([value for row in others for value in row], abs=1e-4)


def decoded(name, *outputs, size=SIZE, options=OPTIONS):
    return HEADS[name].decode(outputs, size, options)


def test_yolo():
    raw = batch(yolo)
    assert_same(decoded("yolo", raw), graphs.objects(graphs.yolo(), raw=raw.numpy()))


def test_yolo_with_one_class_and_a_square_input():
    boxes, scores = crowd(7, 84, 1, (64, 64))
    raw = torch.cat((boxes, scores), 1).T[None]
    expected = graphs.objects(graphs.yolo(), raw=raw.numpy())
    assert_same(decoded("yolo", raw, size=(64, 64)), expected, (64, 64))


def test_yolo_with_anchors():
    raw = batch(yolo_anchors)
    expected = graphs.objects(graphs.yolo_anchors(), raw=raw.numpy())
    assert_same(decoded("yolo-anchors", raw), expected)


def test_yolox_in_cells():
    raw = batch(yolox)
    assert_same(decoded("yolox", raw), graphs.objects(graphs.yolox(*SIZE), raw=raw.numpy()))


def test_yolox_in_pixels():
    raw = batch(lambda seed: yolo_anchors(seed, rows=CELLS))
    expected = graphs.objects(graphs.yolo_anchors(), raw=raw.numpy())
    assert_same(decoded("yolox-decoded", raw), expected)


def ssd_outputs(count=3):
    pairs = [crowd(seed, 150, 5) for seed in range(count)]
    middles = torch.stack([boxes for boxes, _ in pairs]) / torch.tensor([SIZE[1], SIZE[0]] * 2)
    x, y, width, height = middles.unbind(-1)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return torch.stack(corners, -1), torch.stack([scores for _, scores in pairs])


@pytest.mark.parametrize("boxes_first", [True, False])
def test_ssd_with_a_background_in_either_order(boxes_first):
    boxes, scores = ssd_outputs()
    expected = graphs.objects(graphs.ssd(*SIZE), shares=boxes.numpy(), raw=scores.numpy())
    given = (boxes, scores) if boxes_first else (scores, boxes)
    assert_same(decoded("ssd", *given), expected)


def test_ssd_without_a_background_in_pixels_and_from_logits():
    boxes, scores = ssd_outputs()
    expected = graphs.objects(graphs.ssd(*SIZE), shares=boxes.numpy(), raw=scores.numpy())
    pixels = boxes * torch.tensor([SIZE[1], SIZE[0]] * 2)
    options = OnnxOptions(
        iou=graphs.IOU, least_confidence=graphs.LEAST, outputs="logits", boxes="pixels"
    )
    logits = scores[..., 1:].logit(eps=1e-7)
    assert_same(decoded("ssd-without-background", pixels, logits, options=options), expected)


def test_ssds_logits_with_a_background_are_a_softmaxs():
    boxes, logits = ssd_outputs()
    soft = OnnxOptions(outputs="logits")
    ours = decoded("ssd", boxes, logits * 9, options=soft)
    theirs = decoded("ssd", boxes, (logits * 9).softmax(-1), options=OnnxOptions())
    assert [rows_of(each) for each in ours] == [rows_of(each) for each in theirs]


def test_a_graph_that_chooses_by_itself_says_what_our_head_chooses():
    """An export with nms=True: rows x1 y1 x2 y2 score class, and YOLOv7's of seven."""
    raw = batch(yolo)
    chosen = graphs.objects(graphs.yolo(), raw=raw.numpy())
    rows = [[(*box, score, label) for label, score, *box in each] for each in chosen]
    longest = max(map(len, rows)) + 2
    padded = torch.tensor([each + [(0,) * 6] * (longest - len(each)) for each in rows])
    ours = decoded("yolo", raw)
    theirs = decoded("end-to-end", padded)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one["boxes"], other["boxes"], atol=1e-4)
        assert torch.equal(one["labels"], other["labels"])
    sevens = torch.tensor([(0, *box, label, score) for label, score, *box in chosen[0]])
    (alone,) = decoded("yolov7-end-to-end", sevens)
    assert torch.allclose(alone["boxes"], ours[0]["boxes"], atol=1e-4)
    assert torch.equal(alone["labels"], ours[0]["labels"])
    assert torch.allclose(alone["scores"], ours[0]["scores"])
