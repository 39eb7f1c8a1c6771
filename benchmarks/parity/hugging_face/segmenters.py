"""Tiny semantic segmenters of transformers: those of logits, and those of masks."""

import transformers as hf

from benchmarks.parity.hugging_face.tiny import SQUARE, VIT, Tiny, backbone

SEGMENTERS = [
    Tiny(
        "segformer",
        "SegformerForSemanticSegmentation",
        lambda: hf.SegformerConfig(
            depths=[1, 1, 1, 1],
            hidden_sizes=[8, 8, 16, 16],
            num_attention_heads=[1, 1, 2, 2],
            decoder_hidden_size=16,
        ),
        lambda: hf.SegformerImageProcessor(size={"height": 64, "width": 64}),
        "segmentation",
    ),
    Tiny(
        "upernet",
        "UperNetForSemanticSegmentation",
        lambda: hf.UperNetConfig(
            backbone_config=backbone(),
            hidden_size=16,
            auxiliary_in_channels=24,
            auxiliary_channels=8,
            pool_scales=[1, 2],
        ),
        lambda: hf.SegformerImageProcessor(size={"height": 64, "width": 64}),
        "segmentation",
    ),
    Tiny(
        "dpt",
        "DPTForSemanticSegmentation",
        lambda: hf.DPTConfig(
            **{**VIT, "num_hidden_layers": 4},
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
        ),
        lambda: hf.DPTImageProcessor(size=SQUARE),
        "segmentation",
    ),
    Tiny(
        "mask2former",
        "Mask2FormerForUniversalSegmentation",
        lambda: hf.Mask2FormerConfig(
            backbone_config=hf.SwinConfig(
                image_size=64,
                embed_dim=8,
                depths=[1, 1, 1, 1],
                num_heads=[2, 2, 2, 2],
                window_size=2,
                out_features=["stage1", "stage2", "stage3", "stage4"],
            ),
            feature_size=32,
            mask_feature_size=32,
            hidden_dim=32,
            encoder_feedforward_dim=16,
            encoder_layers=1,
            decoder_layers=2,
            num_attention_heads=2,
            dim_feedforward=16,
            num_queries=6,
        ),
        lambda: hf.Mask2FormerImageProcessor(size={"height": 64, "width": 64}, num_labels=5),
        "segmentation",
    ),
]
