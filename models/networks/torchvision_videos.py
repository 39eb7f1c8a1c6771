"""torchvision's video classifiers: 3D convolutions (R3D, MC3, R(2+1)D, S3D) and transformers.

They see a clip as a whole and carry nothing on to the next. How many frames at which rate a
network was trained with stands in torchvision's words about its weights alone (`meta["_docs"]`), so
that it is written down here; a test holds it against those words.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn
from torchvision import models as tv


@dataclass(frozen=True)
class ClipSize:
    """Frames of a clip, at so many a second; `least` and `most` that the network can take.

    Transformers with fixed positions take no other number; for the others the most is four times
    what they were trained with, but for S3D, whose clips are large already.
    """

    frames: int
    fps: float
    least: int
    most: int


_RESNET = ClipSize(frames=16, fps=15.0, least=1, most=64)
_MVIT = ClipSize(frames=16, fps=7.5, least=16, most=16)
_SWIN = ClipSize(frames=32, fps=15.0, least=1, most=128)
CLIP_SIZES = {
    "mc3_18": _RESNET,
    "mvit_v1_b": _MVIT,
    "mvit_v2_s": _MVIT,
    "r2plus1d_18": _RESNET,
    "r3d_18": _RESNET,
    "s3d": ClipSize(frames=128, fps=15.0, least=14, most=128),
    "swin3d_b": _SWIN,
    "swin3d_s": _SWIN,
    "swin3d_t": _SWIN,
}


def build_video_classifier(name: str, classes: int) -> nn.Module:
    """Build one network without weights (and so without a download)."""
    network: nn.Module = tv.get_model_builder(name)(weights=None, num_classes=classes)
    return network


def video_preprocess(name: str, published: Any) -> dict[str, Any]:
    """Turn torchvision's published transforms into the record's plain data."""
    size = CLIP_SIZES[name]
    return {
        "resize": list(published.resize_size),
        "crop": list(published.crop_size),
        "interpolation": published.interpolation.value,
        "antialias": False,
        "channels": 3,
        "mean": list(published.mean),
        "std": list(published.std),
        "fps": size.fps,
        "window": size.frames,
        "windows": [size.least, size.most],
        "carries": False,
    }
