"""What transformers answers: its own processor, its own network, its own post-processing."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf

from benchmarks.parity.answers import Masks, Objects, masks_of
from benchmarks.parity.compared import Pixels
from benchmarks.parity.hugging_face.tiny import Tiny, clip_of


class Theirs:
    """A saved folder, run as transformers' documentation says."""

    def __init__(self, tiny: Tiny, folder: Path) -> None:
        """Load the folder."""
        self.task = tiny.task
        self.network = getattr(hf, tiny.made).from_pretrained(folder).eval()
        made = type(tiny.processor())
        self._by_torchvision = made.from_pretrained(folder)
        # The one of them that resizes by Pillow, as all did once, and as we do.
        self.processor = getattr(hf, f"{made.__name__}Pil", made).from_pretrained(folder)

    def inputs(self, picture: Pixels, *, by_torchvision: bool = False) -> torch.Tensor:
        """Give what the network takes of a picture, or of a clip of it: a batch of one."""
        processor = self._by_torchvision if by_torchvision else self.processor
        given = clip_of(picture) if self.task == "video-classification" else picture
        pixels: torch.Tensor = processor(given, return_tensors="pt")["pixel_values"]
        return pixels

    @torch.inference_mode()
    def answer(self, picture: Pixels) -> Any:
        """Give what the task reads: chances (labels,), Objects, Masks, or a vector (d,)."""
        pixels = self.inputs(picture)
        if self.task == "embedding":
            return self._features(pixels).flatten(1)[0]
        outputs = self.network(pixel_values=pixels)
        if self.task == "detection":
            return self._objects(outputs, picture.shape[:2])
        if self.task == "segmentation":
            return self._masks(outputs, picture.shape[:2])
        return outputs.logits[0].softmax(0)

    @torch.inference_mode()
    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Give what the network gives for its inputs (B, ...), before any size comes in."""
        if self.task == "embedding":
            return self._features(pixels).flatten(1)
        outputs = self.network(pixel_values=pixels)
        if self.task == "detection":
            found = self.processor.post_process_object_detection(outputs, threshold=0.0)
            return torch.stack([each["scores"] for each in found])
        if "masks_queries_logits" in outputs:
            drawn = self.processor.post_process_semantic_segmentation(
                outputs, return_segmentation_scores=True
            )
            return torch.stack([each["segmentation_scores"] for each in drawn])
        logits: torch.Tensor = outputs.logits
        return logits

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        if hasattr(self.network, "get_image_features"):
            given = self.network.get_image_features(pixel_values=pixels)
            features: torch.Tensor = getattr(given, "pooler_output", given)
            return features
        pooled: torch.Tensor = self.network(pixel_values=pixels).pooler_output
        return pooled

    def _objects(self, outputs: Any, size: tuple[int, int]) -> Objects:
        """All of them, whatever their scores."""
        (found,) = self.processor.post_process_object_detection(
            outputs, threshold=0.0, target_sizes=[size]
        )
        return Objects.sorted(found)

    def _masks(self, outputs: Any, size: tuple[int, int]) -> Masks:
        (drawn,) = self.processor.post_process_semantic_segmentation(
            outputs, target_sizes=[size], return_segmentation_scores=True
        )
        scores = drawn["segmentation_scores"]
        chances = scores.softmax(0) if "logits" in outputs else scores / scores.sum(0)
        masks = masks_of(scores, chances)
        classes = np.asarray(drawn["segmentation"])
        assert all(((classes == each) == mask).all() for each, (mask, _) in masks.items())
        return masks
