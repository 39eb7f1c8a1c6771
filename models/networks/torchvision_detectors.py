"""torchvision's detectors, Mask R-CNN among them: objects as boxes, and as masks within them.

They are built by torchvision; only the first of their parts is another: torchvision's own resizes
each picture and pads a batch to its largest, and at the end pastes masks into pictures as large as
the originals. Here pictures are resized before they come (models.preprocessing) and masks stay
small until they are encoded (models/tasks/segmentation.py), so that memory is bounded and no
picture's result depends on its neighbours in the batch.
"""

from typing import Any

import torch
from torch import nn
from torchvision import models as tv
from torchvision.models.detection.image_list import ImageList

# Their published weights were trained with batch normalisation that adds nothing to the variance:
# torchvision sets the same when it loads them (`overwrite_eps`).
_WITHOUT_EPS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")


class Prepared(nn.Module):
    """Stands in for `GeneralizedRCNNTransform` where pictures are resized and normalised."""

    def __init__(self, size_divisible: int) -> None:
        """Pad sides to multiples of so many pixels, as the network was trained."""
        super().__init__()
        self.size_divisible = size_divisible

    def forward(self, batch: torch.Tensor, targets: None = None) -> tuple[ImageList, None]:
        """Pad float32 (B, 3, h, w) at the right and the foot with zeros."""
        height, width = batch.shape[-2:]
        step = self.size_divisible
        padded = nn.functional.pad(batch, (0, -width % step, 0, -height % step))
        return ImageList(padded, [(height, width)] * len(batch)), targets

    def postprocess(
        self, result: list[dict[str, torch.Tensor]], *_: list[tuple[int, int]]
    ) -> list[dict[str, torch.Tensor]]:
        """Leave boxes in pixels of the input, and masks as (n, 1, 28, 28)."""
        return result


def build_detector(name: str, classes: int) -> nn.Module:
    """Build one network without weights (and so without a download)."""
    network = _plain(name, classes)
    network.transform = Prepared(int(network.transform.size_divisible))  # type: ignore[union-attr, arg-type]  # torchvision has no types
    if name in _WITHOUT_EPS:
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eps = 0.0
    return network


def detector_preprocess(name: str, classes: int) -> dict[str, Any]:
    """Describe what torchvision does to pictures inside the network, as a record's plain data."""
    # On the meta device nothing is allocated: only the numbers are wanted.
    with torch.device("meta"):
        transform: Any = _plain(name, classes).transform
    size: dict[str, Any] = {"shorter": transform.min_size[-1], "longer": transform.max_size}
    if transform.fixed_size is not None:
        width, height = transform.fixed_size
        size = {"fixed": [height, width]}
    return {
        **size,
        "antialias": False,
        "channels": 3,
        "mean": list(transform.image_mean),
        "std": list(transform.image_std),
    }


def _plain(name: str, classes: int) -> nn.Module:
    network: nn.Module = tv.get_model_builder(name)(
        weights=None, weights_backbone=None, num_classes=classes
    )
    return network
