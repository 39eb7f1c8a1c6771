"""The network, and what is its own before and after it.

picture ──prepare──► (3, 64, 64) ──forward──► scores (labels, 64, 64) ──postprocess──► boxes

What it is called by, and what it gives, is in models/extensions/architecture.py.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from models.extensions import ModelRecord, Picture, Placement, Predictions, Sample, Seen

LEAST_SCORE = 0.5
# Pixels of the sample; fewer are noise.
LEAST_AREA = 4


class Lamps(nn.Module):
    """Scores every pixel for every colour; nothing is written to `self` in `forward`."""

    def __init__(self, labels: int) -> None:
        """Make it for so many labels, without weights."""
        super().__init__()
        self.colours = nn.Conv2d(3, labels, kernel_size=1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Turn float32 (B, 3, h, w) in [0, 1] into scores (B, labels, h, w)."""
        scores: torch.Tensor = self.colours(pictures).sigmoid()
        return scores


def prepare(record: ModelRecord, picture: Picture) -> Sample:
    """Fit a picture into the upper left of a black square, its proportions kept."""
    side = record.preprocess["side"]
    scale = side / max(picture.height, picture.width)
    height, width = (max(1, round(each * scale)) for each in (picture.height, picture.width))
    square = np.zeros((side, side, 3), np.uint8)
    square[:height, :width] = cv2.resize(
        picture.pixels, (width, height), interpolation=cv2.INTER_AREA
    )
    pixels = torch.from_numpy(square).permute(2, 0, 1)
    inside = Placement(top=0, left=0, height=height, width=width)
    return Sample(pixels, picture.height, picture.width, inside)


def postprocess(
    record: ModelRecord, scores: torch.Tensor, seen: Seen, _params: Mapping[str, Any]
) -> Predictions:
    """Turn one picture's scores (labels, h, w) into a box for each part that hangs together.

    What the job's parameters leave out, Pixelmill takes out afterwards.
    """
    found: Predictions = []
    assert seen.inside is not None
    # What lies beside the picture, in its frame, is nothing of it.
    scores = scores[:, : seen.inside.height, : seen.inside.width]
    for class_id, layer in enumerate(scores.numpy()):
        bright = (layer >= LEAST_SCORE).astype(np.uint8)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(bright)
        for part in range(1, count):  # 0 is the dark rest
            left, top, width, height, area = stats[part].tolist()
            if area < LEAST_AREA:
                continue
            corners = torch.tensor([[left, top, left + width, top + height]], dtype=torch.float32)
            x1, y1, x2, y2 = seen.in_original(corners)[0].tolist()
            found.append(
                {
                    "class": record.labels[class_id],
                    "class_id": class_id,
                    "confidence": float(layer[parts == part].mean()),
                    "box": {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1},
                }
            )
    return found
