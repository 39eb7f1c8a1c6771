"""DETR's heads give what transformers' own post-processing gives."""

from types import SimpleNamespace

import pytest
import torch

from models.onnx_models.reading.heads.table import HEADS
from models.records.options import OnnxOptions
from tests.unit.models.onnx_models.outputs import SIZE, clipped, rows_of

transformers = pytest.importorskip("transformers")
OPTIONS = OnnxOptions(least_confidence=0.05)


def outputs(columns, queries=40, count=3):
    chance = torch.Generator().manual_seed(columns)
    logits = torch.randn(count, queries, columns, generator=chance) * 2
    middles = torch.rand(count, queries, 2, generator=chance)
    sides = torch.rand(count, queries, 2, generator=chance) * 0.4
    return logits, torch.cat((middles, sides), -1)


def theirs(processor, logits, boxes):
    given = SimpleNamespace(logits=logits, pred_boxes=boxes)
    found = processor.post_process_object_detection(
        given, threshold=OPTIONS.least_confidence, target_sizes=[SIZE] * len(logits)
    )
    return [clipped(rows_of(each)) for each in found]


@pytest.mark.parametrize(
    ("name", "processor"), [("detr", "DetrImageProcessor"), ("rt-detr", "RTDetrImageProcessor")]
)
def test_queries_become_the_same_objects(name, processor):
    logits, boxes = outputs(7)
    expected = theirs(getattr(transformers, processor)(), logits, boxes)
    found = HEADS[name].decode((logits, boxes), SIZE, OPTIONS)
    for ours, other in zip(found, expected, strict=True):
        rows = rows_of(ours)
        assert len(rows) > 10
        assert [row[0] for row in rows] == [row[0] for row in other]
        flat = [value for row in rows for value in row]
        assert flat == pytest.approx([value for row in other for value in row], abs=1e-4)


def test_ultralytics_rt_detr_has_one_object_a_query():
    logits, boxes = outputs(5)
    scores = logits.sigmoid()
    joined = torch.cat((boxes, scores), -1)
    found = HEADS["rt-detr-ultralytics"].decode((joined,), SIZE, OPTIONS)
    for picture, ours in zip(joined, found, strict=True):
        expected = []
        for x, y, width, height, *classes in picture.tolist():
            if max(classes) >= OPTIONS.least_confidence:
                box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                sides = [side * (96, 64)[place % 2] for place, side in enumerate(box)]
                expected.append((classes.index(max(classes)), max(classes), *sides))
        expected = clipped(sorted(expected, key=lambda row: -row[1]))
        flat = [value for row in rows_of(ours) for value in row]
        assert flat == pytest.approx([value for row in expected for value in row], abs=1e-4)
