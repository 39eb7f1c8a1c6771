"""Tiny networks of transformers that give a vector."""

from typing import Any

import transformers as hf

from benchmarks.parity.hugging_face.tiny import SQUARE, VIT, Tiny


def _clip_config() -> Any:
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "vocab_size": 64, "max_position_embeddings": 8}
    return {"vision_config": dict(VIT), "text_config": text, "projection_dim": 24}


def _siglip_config() -> Any:
    made = _clip_config()
    made.pop("projection_dim")
    return made


EMBEDDERS = [
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
]
