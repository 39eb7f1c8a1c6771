"""The seam where a task slots in: functions that the registry's networks call in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.media.memory import Pixels
from models.media.pictures import Picture
from models.media.sampling import Sampling
from models.preprocessing.letterbox import Placement
from models.records.record import ModelRecord


@dataclass(frozen=True, slots=True)
class Sample:
    """One image on its way to the network.

    pixels: (channels, h, w) on the CPU, uint8, or float32 in [0, 1]. height, width: those of the
    upright original, in pixels, in which answers speak. inside: where in the sample the whole of
    the original lies; None where it is all of the sample. texts: float32 (n, d) on the CPU, what
    the network made of the texts that its job asks with, one object for all samples of a job.
    """

    pixels: torch.Tensor
    height: int
    width: int
    inside: Placement | None = None
    texts: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """One text on its way to the network: the numbers of its tokens."""

    tokens: tuple[int, ...]


# What a network gave for a batch, on the CPU. Sliceable by sample: outputs[i:j] are those of
# samples i to j, so that a batch of several shards can be taken apart again. A tensor with a row a
# sample, or a list with an entry a sample.
Outputs = torch.Tensor | list[Any]
# What a recurrent network remembers of one video: tensors on the CPU, none with a batch dimension.
State = tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """The next frames of one video on their way to the network.

    frames: uint8 (T, channels, h, w) on the CPU, T >= 1. state: what the network remembers of the
    frames before these; None at the beginning, and always for one that remembers nothing.
    """

    frames: torch.Tensor
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a network gave for one step, on the CPU.

    logits: float32 (labels,), the answer at the step's end. state: what it remembers from then on.
    """

    logits: torch.Tensor
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """How a video's frames, as they were sampled, are put into windows.

    length: frames of a window. stride: frames from the start of one window to that of the next.
    carries: whether the network carries a state. Then every frame is fed once: the first step has
    `length` frames, each later one the next `stride`, and the answer for a window is the one after
    its last frame. Otherwise every step holds all frames of its window, and no state. The last
    window of a video may have fewer frames.
    """

    length: int
    stride: int
    carries: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A window with its answer; times in milliseconds from the video's beginning.

    start_ms: when its first frame is shown. end_ms: when its last one is no longer. logits: float32
    (labels,), a `Stepped`'s.
    """

    start_ms: int
    end_ms: int
    logits: torch.Tensor


# One sample's result: what goes into the item's `predictions`.
Predictions = list[dict[str, Any]]


@dataclass(frozen=True)
class TextSteps:
    """How a network reads the texts of a job, which it does once before the job's pictures.

    named: params that `check_params` gave -> the texts.
    prepare: module, texts -> each as the network takes it; raises ParamsError for one that is too
        long. Runs in many threads at once.
    infer: module, texts, the network's device -> features float32 (n, d) on the CPU, in their
        order. Runs as a task's `infer` does; what else is in the batch changes nothing.
    """

    named: Callable[[Mapping[str, Any]], tuple[str, ...]]
    prepare: Callable[[nn.Module, Sequence[str]], list[Text]]
    infer: Callable[[nn.Module, Sequence[Text], torch.device], torch.Tensor]


@dataclass(frozen=True)
class Task:
    """What differs from task to task.

    check: refuse a record that the task cannot run; raises RecordError.
    channels: how many a picture is decoded to, 3 (RGB) or 1 (grey).
    least: pixels that a picture's shorter side must keep when its decoder scales it down on the
        way, so that the sample stays what it is but for rounding; None where it must not.
    prepare: a decoded picture -> sample; raises ImageTooLarge. Runs in many threads at once.
    infer: record, network, samples, the network's device -> outputs on the CPU, in the samples'
        order. Runs without gradients, in several threads at a time. What else is in the batch
        changes no sample's outputs.
    blank: a sample that costs what a real one costs, for warming up.
    postprocess: outputs, params that `check_params` gave -> predictions, one list a sample.
    texts: how the network reads texts, where it reads any; samples then carry what it made of them.
    """

    name: str
    check: Callable[[ModelRecord], None]
    channels: Callable[[ModelRecord], int]
    least: Callable[[ModelRecord], int | None]
    prepare: Callable[[ModelRecord, Picture], Sample]
    infer: Callable[[ModelRecord, nn.Module, Sequence[Sample], torch.device], Outputs]
    blank: Callable[[ModelRecord], Sample]
    postprocess: Callable[[ModelRecord, Any, Mapping[str, Any]], list[Predictions]]
    texts: TextSteps | None = None


@dataclass(frozen=True)
class VideoTask:
    """What differs from task to task, for tasks on videos.

    check: refuse a record that the task cannot run; raises RecordError.
    prepare_frame: uint8 RGB (h, w, 3), upright -> uint8 (channels, h', w') as the network takes it;
        raises ImageTooLarge for a strip. Runs in many threads at once.
    sampling: params -> which frames to look at.
    windows: params -> how frames become windows; raises ParamsError for a window that the network
        does not take.
    infer: steps -> what the network gave for each, in their order. Runs without gradients, in
        several threads at a time. What else is in the batch changes no step's outputs.
    blank: a step that costs what a real one costs, for warming up.
    postprocess: the clips of each video in order of time, at least one, and params that
        `check_params` gave -> predictions, one list a video.
    """

    name: str
    check: Callable[[ModelRecord], None]
    prepare_frame: Callable[[ModelRecord, Pixels], torch.Tensor]
    sampling: Callable[[ModelRecord, Mapping[str, Any]], Sampling]
    windows: Callable[[ModelRecord, Mapping[str, Any]], Windows]
    infer: Callable[[ModelRecord, nn.Module, Sequence[Step], torch.device], list[Stepped]]
    blank: Callable[[ModelRecord], Step]
    postprocess: Callable[
        [ModelRecord, Sequence[Sequence[Clip]], Mapping[str, Any]], list[Predictions]
    ]


def stack(samples: Sequence[Sample], device: torch.device) -> torch.Tensor:
    """Put equal samples on the device as one batch (B, channels, h, w), channels last in memory."""
    pixels = [sample.pixels for sample in samples]
    if len(pixels[0]) == 1:  # a single channel is first and last
        batch = torch.stack(pixels)
    else:
        batch = torch.stack([each.permute(1, 2, 0) for each in pixels]).permute(0, 3, 1, 2)
    if device.type == "cuda":
        batch = batch.pin_memory()  # lets the copy run beside the device's work
    return batch.to(device, non_blocking=True)
