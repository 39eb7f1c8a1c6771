"""Networks of an operator's own, and pictures for them."""

import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.extensions import Architecture
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import extend
from tests.model_files.own_modules import NewModule

SCALE = {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}

CROPPED = {"resize": 8, "crop": 8, **SCALE}

LETTERBOX = {"letterbox": [16, 16], "resize_by": "opencv", **SCALE}


def png(height: int = 20, width: int = 30, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURES = [png(20, 30, 1), png(30, 20, 2), png(1, 1, 3), png(9, 64, 4)]


def own(new_module: NewModule, says: Architecture, **more: Any) -> ImageNetwork:
    """Load a network with random weights."""
    extend([new_module("mine", {"own/net": says})])
    plain = {"preprocess": says.preprocess, "labels": ("a", "b"), "task": says.task, **more}
    record = ModelRecord(name="mine", architecture="own/net", **plain)
    torch.manual_seed(0)
    network = load(record, weights_file.write(says.build(2).state_dict()))
    assert isinstance(network, ImageNetwork)
    return network


GOOD = {"class": "a", "class_id": 0, "confidence": 0.5}
