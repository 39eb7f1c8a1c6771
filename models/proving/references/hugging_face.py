"""transformers' own inference: the folder's processor, its network, and their post-processing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.proving.references import answers


def reference(folder: Path) -> Callable[[Image.Image], list[dict[str, Any]]]:
    """Give what answers for a saved folder; none of its code is run, nothing is fetched.

    Raises ValueError for a network of no task that has pictures.
    """
    import transformers as hf

    config = hf.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    names = [each for each in config.architectures or () if hasattr(hf, each)]
    if not names:
        raise ValueError(f"{folder / 'config.json'} names no network of transformers")
    # Never a pickle, whatever lies beside.
    network = (
        getattr(hf, names[0])
        .from_pretrained(folder, local_files_only=True, use_safetensors=True)
        .eval()
    )
    # By Pillow, as these networks were evaluated; torchvision's processors differ by a hair.
    processor = hf.AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, backend="pil"
    )
    read = _reading(names[0], network, processor)

    @torch.inference_mode()
    def answer(picture: Image.Image) -> list[dict[str, Any]]:
        given = processor(images=picture, return_tensors="pt")
        return read(given["pixel_values"], [(picture.height, picture.width)])

    return answer


def _reading(
    name: str, network: Any, processor: Any
) -> Callable[[torch.Tensor, list[tuple[int, int]]], list[dict[str, Any]]]:
    """Choose what reads the outputs, by the name of the network's class."""

    def classes(pixels: torch.Tensor, _: Any) -> list[dict[str, Any]]:
        return answers.classes(network(pixel_values=pixels).logits[0])

    def objects(pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
        outputs = network(pixel_values=pixels)
        found = processor.post_process_object_detection(
            outputs, threshold=answers.LEAST_CONFIDENCE, target_sizes=sizes
        )
        return answers.objects(found[0])

    def layers(pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
        outputs = network(pixel_values=pixels)
        drawn = processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)
        return answers.layers(np.asarray(drawn[0]))

    def features(pixels: torch.Tensor, _: Any) -> list[dict[str, Any]]:
        if hasattr(network, "get_image_features"):
            given = network.get_image_features(pixel_values=pixels)
            given = getattr(given, "pooler_output", given)
        else:
            outputs = network(pixel_values=pixels)
            given = getattr(outputs, "image_embeds", None)
            given = outputs.pooler_output if given is None else given
        return answers.vector(given.flatten(1)[0])

    for ends, read in (
        ("ForImageClassification", classes),
        ("ForImageClassificationWithTeacher", classes),
        ("ForObjectDetection", objects),
        ("ForSemanticSegmentation", layers),
        ("ForUniversalSegmentation", layers),
        ("ForInstanceSegmentation", layers),
        ("Model", features),
        ("ModelWithProjection", features),
    ):
        if name.endswith(ends):
            return read
    raise ValueError(f"{name} does nothing that is compared here")
