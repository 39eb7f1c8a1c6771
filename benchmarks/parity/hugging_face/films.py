"""Tiny classifiers of films."""

import transformers as hf

from benchmarks.parity.hugging_face.tiny import SQUARE, VIT, Tiny

_VIDEO = {"size": {"shortest_edge": 36}, "crop_size": SQUARE}

FILMS = [
    Tiny(
        "videomae",
        "VideoMAEForVideoClassification",
        lambda: hf.VideoMAEConfig(**VIT, num_frames=4, tubelet_size=2),
        lambda: hf.VideoMAEImageProcessor(**_VIDEO),
        "video-classification",
    ),
    Tiny(
        "timesformer",
        "TimesformerForVideoClassification",
        lambda: hf.TimesformerConfig(**VIT, num_frames=4),
        lambda: hf.VideoMAEImageProcessor(**_VIDEO),
        "video-classification",
    ),
    Tiny(
        "vivit",
        "VivitForVideoClassification",
        lambda: hf.VivitConfig(
            **{key: VIT[key] for key in VIT if key != "patch_size"},
            num_frames=4,
            tubelet_size=[2, 8, 8],
        ),
        lambda: hf.VivitImageProcessor(**_VIDEO),
        "video-classification",
    ),
]
