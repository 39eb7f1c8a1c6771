"""Tiny detectors of transformers: DETR and its kin, and YOLOS."""

import transformers as hf

from benchmarks.parity.hugging_face.tiny import DETR, SIDES, VIT, Tiny, backbone, resnet

DETECTORS = [
    Tiny(
        "detr",
        "DetrForObjectDetection",
        lambda: hf.DetrConfig(**DETR, use_timm_backbone=False, backbone_config=backbone()),
        lambda: hf.DetrImageProcessor(size=SIDES),
        "detection",
    ),
    Tiny(
        "yolos",
        "YolosForObjectDetection",
        lambda: hf.YolosConfig(**{**VIT, "image_size": [48, 64]}, num_detection_tokens=10),
        lambda: hf.YolosImageProcessor(size=SIDES),
        "detection",
    ),
    Tiny(
        "conditional",
        "ConditionalDetrForObjectDetection",
        lambda: hf.ConditionalDetrConfig(
            **DETR, use_timm_backbone=False, backbone_config=backbone()
        ),
        lambda: hf.ConditionalDetrImageProcessor(size=SIDES),
        "detection",
    ),
    Tiny(
        "deformable",
        "DeformableDetrForObjectDetection",
        lambda: hf.DeformableDetrConfig(
            **DETR,
            use_timm_backbone=False,
            backbone_config=resnet(out_features=["stage2", "stage3", "stage4"]),
        ),
        lambda: hf.DeformableDetrImageProcessor(size={"shortest_edge": 96, "longest_edge": 160}),
        "detection",
    ),
    Tiny(
        "rtdetr",
        "RTDetrForObjectDetection",
        lambda: hf.RTDetrConfig(
            backbone_config=hf.RTDetrResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 16, 24, 32],
                depths=[1, 1, 1, 1],
                layer_type="basic",
                out_features=["stage2", "stage3", "stage4"],
            ),
            encoder_hidden_dim=32,
            encoder_in_channels=[16, 24, 32],
            encoder_ffn_dim=32,
            encoder_attention_heads=2,
            d_model=32,
            num_queries=12,
            decoder_layers=2,
            decoder_in_channels=[32, 32, 32],
            decoder_ffn_dim=32,
            decoder_attention_heads=2,
        ),
        lambda: hf.RTDetrImageProcessor(size={"height": 64, "width": 64}),
        "detection",
    ),
]
