"""Tiny classifiers of transformers, one of each kind of network and of processor."""

import transformers as hf

from benchmarks.parity.hugging_face.tiny import SQUARE, VIT, Tiny, resnet

CLASSIFIERS = [
    Tiny(
        "vit",
        "ViTForImageClassification",
        lambda: hf.ViTConfig(**VIT),
        lambda: hf.ViTImageProcessor(size=SQUARE),
        "classification",
    ),
    Tiny(
        "deit",
        "DeiTForImageClassificationWithTeacher",
        lambda: hf.DeiTConfig(**VIT),
        lambda: hf.DeiTImageProcessor(size={"height": 40, "width": 40}, crop_size=SQUARE),
        "classification",
    ),
    Tiny(
        "beit",
        "BeitForImageClassification",
        lambda: hf.BeitConfig(**VIT, use_relative_position_bias=True),
        lambda: hf.BeitImageProcessor(size=SQUARE, do_center_crop=False),
        "classification",
    ),
    Tiny(
        "swin",
        "SwinForImageClassification",
        lambda: hf.SwinConfig(
            image_size=32, patch_size=2, embed_dim=8, depths=[1, 2], num_heads=[2, 2], window_size=4
        ),
        lambda: hf.ViTImageProcessor(size=SQUARE, resample=3),
        "classification",
    ),
    Tiny(
        "convnextv2",
        "ConvNextV2ForImageClassification",
        lambda: hf.ConvNextV2Config(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1]),
        lambda: hf.ConvNextImageProcessor(size={"shortest_edge": 64}),
        "classification",
    ),
    Tiny(
        "resnet",
        "ResNetForImageClassification",
        resnet,
        lambda: hf.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875),
        "classification",
    ),
    Tiny(
        "mobilevit",
        "MobileViTForImageClassification",
        lambda: hf.MobileViTConfig(
            image_size=64,
            hidden_sizes=[16, 20, 24],
            neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
            expand_ratio=1.0,
            num_attention_heads=2,
        ),
        lambda: hf.MobileViTImageProcessor(
            size={"shortest_edge": 72}, crop_size={"height": 64, "width": 64}
        ),
        "classification",
    ),
    Tiny(
        "efficientnet",
        "EfficientNetForImageClassification",
        lambda: hf.EfficientNetConfig(
            image_size=64, width_coefficient=0.25, depth_coefficient=0.5, hidden_dim=320
        ),
        lambda: hf.EfficientNetImageProcessor(
            size={"height": 64, "width": 64}, rescale_offset=True, rescale_factor=1 / 127.5
        ),
        "classification",
    ),
]
