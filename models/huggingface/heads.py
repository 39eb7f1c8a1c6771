"""What transformers' networks give, in the form that our tasks read (models/tasks).

Each head holds the network of one task and takes float32 (B, channels, h, w), normalised. What it
does with the outputs is what transformers' own post-processing does, up to where thresholds and the
original's size come in: those are the tasks' own. None of them keeps anything of a batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from models.huggingface.model_types import ModelType, Reading

# How many pairs of query and class the older of the sigmoid families report.
_BEST = 100
# Masks of Mask2Former are compared at this size, whatever the picture's (transformers'
# `post_process_semantic_segmentation`); those of MaskFormer at their own.
_MASK2FORMER_SIZE = (384, 384)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network was built, for building it again when its weights are there.

    extra: what its class was given beside the configuration. unused: how the names of tensors begin
    that may lie in its file, and that it does without.
    """

    extra: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


class Head(nn.Module):
    """Holds transformers' network; `flips` where it takes blue first and red last."""

    recipe = Recipe()

    def __init__(self, network: nn.Module, flips: bool = False) -> None:
        super().__init__()
        self.network = network
        self.flips = flips

    def forward(self, batch: torch.Tensor) -> Any:
        """Run the network on float32 (B, channels, h, w)."""
        return self.read(self.network(pixel_values=batch.flip(1) if self.flips else batch), batch)

    def read(self, outputs: Any, batch: torch.Tensor) -> Any:
        """Turn what the network gave for a batch into what the task reads."""
        raise NotImplementedError

    def take(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take from its file what is none of the network's numbers; raises WeightsError."""


class Classifier(Head):
    """Logits (B, labels)."""

    def read(self, outputs: Any, _batch: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        logits: torch.Tensor = outputs.logits
        return logits


class VideoClassifier(Classifier):
    """Logits (B, labels) of clips, float32 (B, channels, T, h, w)."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Run the network, which wants (B, T, channels, h, w)."""
        return self.read(self.network(pixel_values=batch.transpose(1, 2)), batch)


class Embedder(Head):
    """Features (B, d): projected, else pooled, else those of the first place."""

    def read(self, outputs: Any, _batch: torch.Tensor) -> torch.Tensor:
        """Give the features."""
        for name in ("image_embeds", "pooler_output"):
            features = getattr(outputs, name, None)
            if features is not None:
                return torch.flatten(features, 1)
        first: torch.Tensor = outputs.last_hidden_state[:, 0]
        return first


class Segmenter(Head):
    """Logits (B, labels, h', w'), at the network's own resolution."""

    def read(self, outputs: Any, _batch: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        logits: torch.Tensor = outputs.logits
        return logits


class MaskSegmenter(Head):
    """Chances (B, labels, h', w') of a network that gives masks and what each of them shows.

    What a place has of a class is the sum over all masks: the chance that the mask shows it, times
    that the place lies in it. transformers enlarges these sums and compares them.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int] | None = None) -> None:
        """Enlarge masks to `size` first, where given."""
        super().__init__(network)
        self.size = size

    def read(self, outputs: Any, _batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Add the masks up, class by class."""
        masks = outputs.masks_queries_logits
        if self.size is not None:
            masks = nn.functional.interpolate(
                masks, size=self.size, mode="bilinear", align_corners=False
            )
        classes = outputs.class_queries_logits.softmax(dim=-1)[..., :-1]
        return {"chances": torch.einsum("bqc,bqhw->bchw", classes, masks.sigmoid())}


class Detector(Head):
    """Objects as dicts of boxes, scores and labels (models/tasks/detection.py)."""

    def __init__(self, network: nn.Module, reading: Reading) -> None:
        """Read logits as `reading` says (models/huggingface/model_types.py)."""
        super().__init__(network)
        self.reading = reading

    def read(self, outputs: Any, batch: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        """Give each picture's objects, boxes as x1 y1 x2 y2 in pixels of the batch."""
        scores, labels, queries = _objects(outputs.logits.float(), self.reading)
        middles, sizes = outputs.pred_boxes.float().split(2, dim=-1)
        corners = torch.cat((middles - sizes / 2, middles + sizes / 2), dim=-1)
        height, width = batch.shape[-2:]
        pixels = corners * corners.new_tensor([width, height, width, height])
        boxes = pixels.gather(1, queries[..., None].expand(-1, -1, 4))
        return [
            {"boxes": box, "scores": score, "labels": label}
            for box, score, label in zip(boxes, scores, labels, strict=True)
        ]


def _objects(
    logits: torch.Tensor, reading: Reading
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Choose among logits (B, queries, classes): scores, labels and queries, each (B, n)."""
    if reading == "softmax":
        scores, labels = logits.softmax(-1)[..., :-1].max(-1)
        queries = torch.arange(logits.shape[1], device=logits.device)
        return scores, labels, queries.expand_as(labels)
    most = _BEST if reading == "best_100" else logits.shape[1]
    chances = logits.sigmoid().flatten(1)
    scores, places = chances.topk(min(most, chances.shape[1]), dim=1)
    classes = logits.shape[2]
    return scores, places % classes, places // classes


def head_for(task: str, network: nn.Module, kind: ModelType, processor: Mapping[str, Any]) -> Head:
    """Put a network behind the head of its task; `processor` is its preprocessor_config.json."""
    if task == "detection":
        return Detector(network, kind.reading)
    if task == "segmentation" and kind.name in ("maskformer", "mask2former"):
        return MaskSegmenter(network, _MASK2FORMER_SIZE if kind.name == "mask2former" else None)
    heads: Mapping[str, Callable[..., Head]] = {
        "classification": Classifier,
        "embedding": Embedder,
        "segmentation": Segmenter,
        "video-classification": VideoClassifier,
    }
    return heads[task](network, flips=_flips(kind, processor))


def _flips(kind: ModelType, processor: Mapping[str, Any]) -> bool:
    """Say whether pictures are given blue first, as MobileViT was trained."""
    default = kind.processor == "MobileViT"
    return bool(processor.get("do_flip_channel_order", default))
