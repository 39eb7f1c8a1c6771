"""Tiny networks of transformers with random weights, saved as folders as anybody saves them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from models.huggingface.describing import describe
from models.records.record import ModelRecord
from models.runtime.network import Network
from models.runtime.registry import load
from pixelmill.client.hugging_face.folder import read_folder

NAMES = {0: "cat", 1: "dog", 2: "owl", 3: "newt", 4: "crab"}
VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
DETR = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 12,
}
SQUARE = {"height": 32, "width": 32}
SIDES = {"shortest_edge": 48, "longest_edge": 80}


def resnet(**more: Any) -> hf.ResNetConfig:
    return hf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], **more
    )


def backbone() -> hf.ResNetConfig:
    return resnet(out_features=["stage1", "stage2", "stage3", "stage4"])


@dataclass
class Tiny:
    """A network to be made: its class, its configuration, its processor, and how it is asked."""

    name: str
    made: str
    config: Any
    processor: Any
    task: str
    asked: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Any:
        """Make the network of random numbers, the same each time, and save it; returns it."""
        torch.manual_seed(sum(map(ord, self.name)))
        config = self.config()
        config.id2label = dict(NAMES)
        network = getattr(hf, self.made)(config).eval()
        shake(network)
        network.save_pretrained(folder)
        self.processor().save_pretrained(folder)
        return network


def shake(network: torch.nn.Module) -> None:
    """Give all that is learned numbers by which answers differ, and stay numbers."""
    with torch.no_grad():
        for name, each in network.named_parameters():
            if each.dim() > 1:
                fan_in = max(1, each[0].numel())
                each.normal_(0, 0.7 / fan_in**0.5)
            elif name.endswith("weight"):
                each.normal_(1, 0.1)
            else:
                each.normal_(0, 0.2)
        for name, each in network.named_buffers():
            if name.endswith("running_mean"):
                each.normal_(0, 0.2)
            if name.endswith("running_var"):
                each.uniform_(0.5, 1.5)


def read(folder: Path, **asked: Any) -> tuple[ModelRecord, bytes]:
    """Read a folder as a caller sends it, and complete its record as a worker does."""
    weights, record = read_folder(folder, asked.get("task"))
    sent = {"name": folder.name, **record, **asked}
    whole = {**describe(sent), **sent}
    whole.pop("provenance")
    data = weights.read_bytes() if isinstance(weights, Path) else b"".join(weights.blocks())
    return ModelRecord.from_json(whole), data


def network_of(folder: Path, **asked: Any) -> Network:
    record, weights = read(folder, **asked)
    return load(record, weights)


def _clip_config() -> Any:
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "vocab_size": 64, "max_position_embeddings": 8}
    return {"vision_config": dict(VIT), "text_config": text, "projection_dim": 24}


def _siglip_config() -> Any:
    made = _clip_config()
    made.pop("projection_dim")
    return made


_VIDEO = {"size": {"shortest_edge": 36}, "crop_size": SQUARE}

TINIES = [
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
            image_size=32, width_coefficient=0.25, depth_coefficient=0.5, hidden_dim=320
        ),
        lambda: hf.EfficientNetImageProcessor(
            size=SQUARE, rescale_offset=True, rescale_factor=1 / 127.5
        ),
        "classification",
    ),
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
    Tiny(
        "clip",
        "CLIPModel",
        lambda: hf.CLIPConfig(**_clip_config()),
        lambda: hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SQUARE),
        "embedding",
    ),
    Tiny(
        "siglip",
        "SiglipModel",
        lambda: hf.SiglipConfig(**_siglip_config()),
        lambda: hf.SiglipImageProcessor(size=SQUARE),
        "embedding",
    ),
    Tiny(
        "dinov2",
        "Dinov2Model",
        lambda: hf.Dinov2Config(**{**VIT, "mlp_ratio": 2}),
        lambda: hf.BitImageProcessor(size={"shortest_edge": 36}, crop_size=SQUARE),
        "embedding",
    ),
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
