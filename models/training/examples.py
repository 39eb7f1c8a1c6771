"""What a network learns from: encoded images or videos to batches, and batches to scores.

A picture is prepared as serving prepares it. Of a video one window of frames is learned, that in
the middle of what is looked at: its first windows, so that an hour costs no more than a minute.
"""

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import torch
from torch import nn

from models.media.films import Frame, open_video
from models.media.pictures import Picture, decode
from models.media.sampling import Sampling
from models.preprocessing.frames import FramePreprocessing
from models.preprocessing.preprocess import Preprocessing, Scale, normalise
from models.records.record import Limits, ModelRecord
from models.runtime.task_tables import TASKS, VIDEO_TASKS
from models.tasks.video_classification import pad

# Windows of a video that are looked at.
_WINDOWS = 4


class Decoders(Protocol):
    """Who turns encoded examples into pixels; strangers' are decoded behind walls."""

    def picture(self, content: bytes, channels: int, limits: Limits) -> Picture:
        """Decode a picture; raises InputError."""

    def frames(self, content: bytes, sampling: Sampling, limits: Limits) -> Generator[Frame]:
        """Decode the sampled frames of a film; raises InputError."""


class DecodersHere:
    """Decodes in this process, what is trusted."""

    def picture(self, content: bytes, channels: int, limits: Limits) -> Picture:
        """Decode a picture; raises InputError."""
        return decode(content, channels, limits)

    def frames(self, content: bytes, sampling: Sampling, limits: Limits) -> Generator[Frame]:
        """Decode the sampled frames of a film; raises InputError."""
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            with open_video(file, len(content), limits) as video:
                yield from video.frames(sampling)


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one kind of network.

    read: one encoded example to uint8 (C, h, w), or (T, C, h, w) of a video; raises InputError.
    inputs: float32 (B, *example) in [0, 1], normalised as the network takes it.
    scores: a network and its inputs to logits (B, labels).
    """

    read: Callable[[bytes], torch.Tensor]
    inputs: Callable[[torch.Tensor], torch.Tensor]
    scores: Callable[[nn.Module, torch.Tensor], torch.Tensor]


def examples_of(record: ModelRecord, decoders: Decoders) -> Examples:
    """Give the examples that a record's network learns from; raises RecordError."""
    if record.task in VIDEO_TASKS:
        return _clips(record, FramePreprocessing.read(record.preprocess), decoders)
    return _pictures(record, Preprocessing.read(record.preprocess), decoders)


def _pictures(record: ModelRecord, spec: Preprocessing, decoders: Decoders) -> Examples:
    def read(content: bytes) -> torch.Tensor:
        picture = decoders.picture(content, spec.decoded, record.limits)
        return TASKS[record.task].prepare(record, picture).pixels

    def scores(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = module(inputs)
        return logits

    return Examples(read, partial(normalise, spec=spec), scores)


def _clips(record: ModelRecord, spec: FramePreprocessing, decoders: Decoders) -> Examples:
    def read(content: bytes) -> torch.Tensor:
        frames = _frames(record, spec, content, decoders)
        start = max(0, (len(frames) - spec.window) // 2)
        return pad(torch.stack(frames[start : start + spec.window]), spec.window)

    def scores(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        if spec.carries:
            logits, _ = module(inputs)
        else:
            logits = module(inputs.transpose(1, 2))
        return logits  # type: ignore[no-any-return]  # a module's answer has no type

    return Examples(read, partial(_normalised, scale=spec), scores)


def _frames(
    record: ModelRecord, spec: FramePreprocessing, content: bytes, decoders: Decoders
) -> list[torch.Tensor]:
    """Decode the frames that are looked at, at the record's rate: uint8 (C, h, w) each."""
    prepare = VIDEO_TASKS[record.task].prepare_frame
    frames = decoders.frames(content, Sampling(fps=spec.fps), record.limits)
    with closing(frames):
        return [prepare(record, frame.pixels) for frame in islice(frames, _WINDOWS * spec.window)]


def _normalised(clips: torch.Tensor, scale: Scale) -> torch.Tensor:
    return normalise(clips.flatten(0, 1), scale).reshape(clips.shape)
