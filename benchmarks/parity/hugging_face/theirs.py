"""What transformers answers: its own processor, its own network, its own post-processing."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf

from tests.unit.models.huggingface.folders import Tiny


class Theirs:
    """A saved folder, run as transformers' documentation says."""

    def __init__(self, tiny: Tiny, folder: Path) -> None:
        self.network = getattr(hf, tiny.made).from_pretrained(folder).eval()
        self.processor = type(tiny.processor()).from_pretrained(folder)

    @torch.inference_mode()
    def outputs(self, picture: np.ndarray) -> Any:
        given = self.processor(images=picture, return_tensors="pt")
        return self.network(pixel_values=given["pixel_values"])

    def chances(self, picture: np.ndarray) -> torch.Tensor:
        """Softmax over the classes (labels,)."""
        return self.outputs(picture).logits[0].softmax(0)

    @torch.inference_mode()
    def clip_chances(self, frames: list[np.ndarray]) -> torch.Tensor:
        given = self.processor(frames, return_tensors="pt")["pixel_values"]
        return self.network(pixel_values=given).logits[0].softmax(0)

    def objects(self, picture: np.ndarray) -> dict[str, torch.Tensor]:
        """All objects, whatever their scores: boxes, scores, labels."""
        found: dict[str, torch.Tensor] = self.processor.post_process_object_detection(
            self.outputs(picture), threshold=0.0, target_sizes=[picture.shape[:2]]
        )[0]
        return found

    def classes(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The class of each pixel (H, W), and the chance of it."""
        outputs, size = self.outputs(picture), [picture.shape[:2]]
        (drawn,) = self.processor.post_process_semantic_segmentation(
            outputs, target_sizes=size, return_segmentation_scores=True
        )
        scores = drawn["segmentation_scores"]
        chances = scores.softmax(0) if "logits" in outputs else scores / scores.sum(0)
        return np.asarray(drawn["segmentation"]), chances.amax(0).numpy()

    @torch.inference_mode()
    def vector(self, picture: np.ndarray) -> torch.Tensor:
        """The features (d,) of a picture."""
        pixels = self.processor(images=picture, return_tensors="pt")["pixel_values"]
        if hasattr(self.network, "get_image_features"):
            given = self.network.get_image_features(pixel_values=pixels)
            given = getattr(given, "pooler_output", given)
        else:
            given = self.network(pixel_values=pixels).pooler_output
        return given.flatten(1)[0]

    def read(self, batch: torch.Tensor) -> torch.Tensor:
        """What the network gives for normalised float32 (B, 3, h, w), as the processor reads it."""
        if hasattr(self.network, "get_image_features"):
            given = self.network.get_image_features(pixel_values=batch)
            return getattr(given, "pooler_output", given)
        outputs = self.network(pixel_values=batch)
        if hasattr(outputs, "pred_boxes"):
            found = self.processor.post_process_object_detection(outputs, threshold=0.0)
            return torch.stack([each["scores"] for each in found])
        if hasattr(outputs, "masks_queries_logits"):
            drawn = self.processor.post_process_semantic_segmentation(
                outputs, return_segmentation_scores=True
            )
            return torch.stack([each["segmentation_scores"] for each in drawn])
        return outputs.logits if "logits" in outputs else outputs.pooler_output
