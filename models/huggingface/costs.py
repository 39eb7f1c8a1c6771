"""What one picture costs a network, counted without computing anything."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.huggingface.building import build
from models.huggingface.processors import CROPPING
from models.preprocessing.frames import FramePreprocessing
from models.preprocessing.preprocess import Preprocessing
from models.preprocessing.whole_pictures import WholePicture
from models.records.errors import RecordError
from models.records.record import ModelRecord

# What is assumed of a network that cannot be counted: that of an ordinary detector.
_USUAL_GFLOPS = 100.0


def gflops_of(
    asked: Mapping[str, Any], task: str, labels: Sequence[str], preprocess: Mapping[str, Any]
) -> float:
    """Count thousands of millions of multiplications for one input of the usual size.

    The network is run on the meta device, where nothing is computed. Raises RecordError for a
    network that cannot be built or a preprocessing that cannot be read.
    """
    record = ModelRecord(
        name=str(asked.get("name") or "unnamed"),
        task=task,
        architecture=str(asked["architecture"]),
        labels=tuple(labels),
        preprocess=preprocess,
        options=asked["options"],
    )
    shape, network = _input_shape(record), build(record)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counted:
            network(torch.empty(shape, device="meta"))
    except ValueError as err:  # transformers' own checks of a picture's size
        reason = " ".join(str(err).split())[:300]
        raise RecordError(
            f"A network of this config.json cannot take pictures of {shape[-2]} x {shape[-1]} "
            f"pixels, as the processor makes them: {reason}."
        ) from err
    except Exception:  # some networks look at their numbers on the way, and here are none
        return _USUAL_GFLOPS
    return float(counted.get_total_flops()) / 2 / 1e9


def _input_shape(record: ModelRecord) -> tuple[int, ...]:
    if record.task == "video-classification":
        clip = FramePreprocessing.read(record.preprocess)
        return (1, clip.channels, clip.window, *clip.crop)
    if record.task in CROPPING:
        crop = Preprocessing.read(record.preprocess)
        return (1, crop.channels, *crop.crop_size)
    whole = WholePicture.read(record.preprocess)
    return (1, whole.channels, *whole.usual_size)
