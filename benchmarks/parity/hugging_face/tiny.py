"""Tiny networks of transformers with random weights, saved as folders as anybody saves them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf

from benchmarks.parity.compared import Pixels, blots
from benchmarks.parity.lively import settle, spread
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
# (height, width) of the pictures that networks are made lively with.
_SEEN = ((96, 96), (75, 131), (140, 61), (33, 50))
SQUARE = {"height": 32, "width": 32}
SIDES = {"shortest_edge": 48, "longest_edge": 80}


def resnet(**more: Any) -> hf.ResNetConfig:
    """Give the smallest ResNet."""
    return hf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], **more
    )


def backbone() -> hf.ResNetConfig:
    """Give the smallest ResNet as what detectors and segmenters stand on."""
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
        self._enliven(network)
        network.save_pretrained(folder)
        self.processor().save_pretrained(folder)
        return network

    def _enliven(self, network: torch.nn.Module) -> None:
        """Have it look at its pictures (benchmarks/parity/lively.py)."""
        if self.task == "embedding":
            return
        processor, is_film = self.processor(), self.task == "video-classification"
        # Where pictures of any size become inputs of one, it sees several of each.
        sizes = _SEEN if self.task in ("classification", "video-classification") else _SEEN[:1]
        seen = [blots(*size, seed=seed) for seed in range(2, 8) for size in sizes]
        given = [clip_of(each) if is_film else each for each in seen]
        inputs = torch.cat([processor(each, return_tensors="pt")["pixel_values"] for each in given])

        def run() -> None:
            network(pixel_values=inputs)

        settle(network, run)
        last = [each for name, each in network.named_modules() if _tells_classes(name, each)]
        if self.task != "segmentation":
            spread(last, run)


def clip_of(picture: Pixels) -> list[Pixels]:
    """Give four frames on which a picture moves to the right."""
    return [np.ascontiguousarray(np.roll(picture, 4 * step, axis=1)) for step in range(4)]


def _tells_classes(name: str, module: torch.nn.Module) -> bool:
    """Say whether a module is the last of a classifier, or of a detector that hardly reacts."""
    if not isinstance(module, torch.nn.Linear):
        return False
    if "class_labels_classifier" in name:  # and one more for no object
        return module.out_features in (len(NAMES), len(NAMES) + 1)
    return "classifier" in name and module.out_features == len(NAMES)


def shake(network: torch.nn.Module) -> None:
    """Give all that is learned numbers by which answers differ, and stay numbers."""
    with torch.no_grad():
        for name, each in network.named_parameters():
            if "query_position" in name or "detection_tokens" in name:
                each.normal_(0, 0.02)  # else they say more than the picture
            elif each.dim() > 1:
                fan_in, gain = max(1, each[0].numel()), 1.5 if each.dim() == 4 else 0.7
                each.normal_(0, gain / fan_in**0.5)
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
    """Load a folder as a worker does."""
    record, weights = read(folder, **asked)
    return load(record, weights)
