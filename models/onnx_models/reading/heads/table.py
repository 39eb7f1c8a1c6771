"""All heads by their names. A new kind of outputs is one file and one line here."""

from collections.abc import Mapping
from typing import Final

from models.onnx_models.reading.heads import (
    classifier,
    embedder,
    semantic,
    ssd,
    torchvision_detectors,
)
from models.onnx_models.reading.heads.detr_family import detr, rt_detr_ultralytics
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.heads.yolo_family import (
    efficient_nms,
    end_to_end,
    yolo,
    yolo_anchors,
    yolo_masks,
    yolov7_end_to_end,
    yolox,
)

_HEADS: Final[tuple[Head, ...]] = (
    classifier.HEAD,
    embedder.HEAD,
    semantic.HEAD,
    yolo.HEAD,
    yolo_masks.HEAD,
    yolo_anchors.HEAD,
    yolox.HEAD,
    yolox.DECODED_HEAD,
    end_to_end.HEAD,
    yolov7_end_to_end.HEAD,
    efficient_nms.HEAD,
    detr.HEAD,
    detr.SIGMOID_HEAD,
    rt_detr_ultralytics.HEAD,
    ssd.HEAD,
    ssd.WITHOUT_BACKGROUND_HEAD,
    torchvision_detectors.HEAD,
    torchvision_detectors.SCORES_FIRST_HEAD,
    torchvision_detectors.MASKS_HEAD,
)

HEADS: Final[Mapping[str, Head]] = {each.name: each for each in _HEADS}
