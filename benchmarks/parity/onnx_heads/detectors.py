"""Detectors' outputs, and what is found in them by decoders that are not ours.

Where the source has no decoder that can be called, it is an ONNX graph (graphs.py).
"""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import torch
import transformers

from benchmarks.parity.onnx_heads import graphs, outputs
from benchmarks.parity.onnx_heads.outputs import Found, Size, batch, cells_of
from models.records.options import OnnxOptions

# Outputs for some pictures, how they are to be read, and what is in each of the pictures.
Case = tuple[Sequence[torch.Tensor], OnnxOptions, list[list[Found]]]

OPTIONS = OnnxOptions(iou=graphs.IOU, least_confidence=graphs.LEAST)
_IN_PIXELS = OnnxOptions(
    iou=graphs.IOU, least_confidence=graphs.LEAST, outputs="logits", boxes="pixels"
)


def _yolo(size: Size) -> list[Case]:
    several = batch(lambda seed: outputs.yolo(seed, size=size))
    one_class = batch(lambda seed: outputs.yolo(seed, classes=1, size=size))
    return [
        ((raw,), OPTIONS, graphs.objects(graphs.yolo(), raw=raw.numpy()))
        for raw in (several, one_class)
    ]


def _yolo_anchors(size: Size) -> list[Case]:
    raw = batch(lambda seed: outputs.yolo_anchors(seed, size=size))
    return [((raw,), OPTIONS, graphs.objects(graphs.yolo_anchors(), raw=raw.numpy()))]


def _yolox(size: Size) -> list[Case]:
    raw = batch(lambda seed: outputs.yolox(seed, size=size))
    return [((raw,), OPTIONS, graphs.objects(graphs.yolox(*size), raw=raw.numpy()))]


def _yolox_decoded(size: Size) -> list[Case]:
    raw = batch(lambda seed: outputs.yolo_anchors(seed, rows=cells_of(size), size=size))
    return [((raw,), OPTIONS, graphs.objects(graphs.yolo_anchors(), raw=raw.numpy()))]


def _ssd(size: Size) -> list[Case]:
    boxes, scores = outputs.ssd(size=size)
    found = graphs.objects(graphs.ssd(*size), shares=boxes.numpy(), raw=scores.numpy())
    return [((boxes, scores), OPTIONS, found), ((scores, boxes), OPTIONS, found)]


def _ssd_without_background(size: Size) -> list[Case]:
    boxes, scores = outputs.ssd(size=size)
    found = graphs.objects(graphs.ssd(*size), shares=boxes.numpy(), raw=scores.numpy())
    pixels = boxes * torch.tensor([size[1], size[0]] * 2)
    logits = scores[..., 1:].logit(eps=1e-7)
    return [
        ((boxes, scores[..., 1:]), OPTIONS, found),
        ((pixels, logits), _IN_PIXELS, found),
    ]


def _chosen(size: Size) -> list[list[Found]]:
    """What a graph chooses that ends in NonMaxSuppression, as exports with it inside do."""
    return _yolo(size)[0][2]


def _end_to_end(size: Size) -> list[Case]:
    chosen = _chosen(size)
    rows = [[(*box, score, label) for label, score, *box in each] for each in chosen]
    longest = max(map(len, rows)) + 2
    padded = torch.tensor([each + [(0.0,) * 6] * (longest - len(each)) for each in rows])
    return [((padded,), OPTIONS, chosen)]


def _yolov7_end_to_end(size: Size) -> list[Case]:
    return [
        ((torch.tensor([(0, *box, label, score) for label, score, *box in each]),), OPTIONS, [each])
        for each in _chosen(size)
    ]


def _efficient_nms(size: Size) -> list[Case]:
    chosen = _chosen(size)
    longest = max(map(len, chosen)) + 2
    # Beyond the count lies what was there before: it looks like an object, and is none.
    junk = (1.0, 0.9, 0.0, 0.0, 9.0, 9.0)
    filled = torch.tensor([[*each, *[junk] * (longest - len(each))] for each in chosen])
    counts = torch.tensor([[float(len(each))] for each in chosen])
    return [((counts, filled[..., 2:], filled[..., 1], filled[..., 0]), OPTIONS, chosen)]


def _by_transformers(processor: str) -> Callable[[Size], list[Case]]:
    def make(size: Size) -> list[Case]:
        logits, boxes = outputs.queries(7)
        found = getattr(transformers, processor)().post_process_object_detection(
            SimpleNamespace(logits=logits, pred_boxes=boxes),
            threshold=OPTIONS.least_confidence,
            target_sizes=[size] * len(logits),
        )
        return [((logits, boxes), OPTIONS, [outputs.rows_of(each) for each in found])]

    return make


def _rt_detr_ultralytics(size: Size) -> list[Case]:
    logits, boxes = outputs.queries(5)
    joined = torch.cat((boxes, logits.sigmoid()), -1)
    found = []
    for picture in joined.tolist():
        rows: list[Found] = []
        for x, y, width, height, *classes in picture:
            if max(classes) >= OPTIONS.least_confidence:
                box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                sides = [side * size[1 - place % 2] for place, side in enumerate(box)]
                rows.append((classes.index(max(classes)), max(classes), *sides))
        found.append(sorted(rows, key=lambda row: -row[1]))
    return [((joined,), OPTIONS, found)]


def _torchvision(*order: int) -> Callable[[Size], list[Case]]:
    """Boxes, labels and scores of one picture, told in an order of their own."""

    def make(size: Size) -> list[Case]:
        cases = []
        for each in _chosen(size):
            unsure = [(2.0, 0.1, 1.0, 1.0, 5.0, 5.0)]
            rows = torch.tensor([*each, *unsure])
            parts = rows[:, 2:], rows[:, 0].long(), rows[:, 1]
            cases.append(([parts[place] for place in order], OPTIONS, [each]))
        return cases

    return make


DETECTORS: Mapping[str, Callable[[Size], list[Case]]] = {
    "yolo": _yolo,
    "yolo-anchors": _yolo_anchors,
    "yolox": _yolox,
    "yolox-decoded": _yolox_decoded,
    "end-to-end": _end_to_end,
    "yolov7-end-to-end": _yolov7_end_to_end,
    "efficient-nms": _efficient_nms,
    "detr": _by_transformers("DetrImageProcessor"),
    "rt-detr": _by_transformers("RTDetrImageProcessor"),
    "rt-detr-ultralytics": _rt_detr_ultralytics,
    "ssd": _ssd,
    "ssd-without-background": _ssd_without_background,
    "torchvision": _torchvision(0, 1, 2),
    "torchvision-scores-first": _torchvision(0, 2, 1),
}
