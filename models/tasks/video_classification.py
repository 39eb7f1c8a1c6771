"""Video classification: which of the record's labels a video shows, and when.

Two kinds of network answer. One that remembers nothing (3D convolutions, video transformers) is
given float32 (B, channels, T, h, w) and gives logits (B, labels). One that carries a state is given
float32 (B, T, channels, h, w) and its state, a tuple of tensors whose first dimension is B, or None
at a video's beginning; it gives the logits (B, labels) after the last frame, and its state there.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from models.answers.numbers import shortest
from models.media.memory import Pixels
from models.media.sampling import Sampling
from models.preprocessing.frames import FramePreprocessing, to_frame
from models.preprocessing.preprocess import normalise
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.records.windows import window_of
from models.tasks.task import (
    Clip,
    Predictions,
    State,
    Step,
    Stepped,
    VideoTask,
    Windows,
)


def check(record: ModelRecord) -> None:
    """Refuse a record without labels, or that is not one for videos; raises RecordError."""
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    if record.input_kind != "video":
        raise RecordError(f"Model {record.name!r} takes videos: its input_kind must be 'video'.")
    spec_of(record)


def spec_of(record: ModelRecord) -> FramePreprocessing:
    """Read a record's preprocessing; raises RecordError."""
    return record.parsed(FramePreprocessing.read)


def prepare_frame(record: ModelRecord, pixels: Pixels) -> torch.Tensor:
    """Turn one upright frame, uint8 RGB (h, w, 3), into uint8 (channels, *crop)."""
    return to_frame(pixels, spec_of(record), record.limits)


def sampling(record: ModelRecord, params: Mapping[str, Any]) -> Sampling:
    """Say which frames to look at: what the caller chose, else the record's frames a second."""
    if params["every_nth"] is not None:
        return Sampling(every_nth=params["every_nth"])
    return Sampling(fps=params["fps"] or spec_of(record).fps)


def windows(record: ModelRecord, params: Mapping[str, Any]) -> Windows:
    """Say how frames become windows; raises ParamsError for a window the network cannot take."""
    length = window_of(record.preprocess, params)
    return Windows(length, length - params["overlap"], spec_of(record).carries)


def pad(frames: torch.Tensor, length: int) -> torch.Tensor:
    """Repeat the last of (T, channels, h, w) until there are `length`; more frames stay."""
    missing = length - len(frames)
    return torch.cat([frames, frames[-1:].expand(missing, -1, -1, -1)]) if missing > 0 else frames


def infer(
    record: ModelRecord, module: nn.Module, steps: Sequence[Step], device: torch.device
) -> list[Stepped]:
    """Run the network on all steps, those of one length and with or without a state together.

    What a network without a state cannot take, because a video ended, is padded (`pad`).
    """
    spec = spec_of(record)
    run = _carry if spec.carries else _answer
    given: dict[int, Stepped] = {}
    for positions in _alike(steps, spec):
        group = [steps[position] for position in positions]
        frames = torch.stack([_frames(step, spec) for step in group])
        given.update(zip(positions, run(module, _inputs(frames, spec, device), group), strict=True))
    return [given[position] for position in range(len(steps))]


def blank(record: ModelRecord) -> Step:
    """Return a window of black frames."""
    spec = spec_of(record)
    return Step(torch.zeros(spec.window, spec.channels, *spec.crop, dtype=torch.uint8))


def postprocess(
    record: ModelRecord, videos: Sequence[Sequence[Clip]], params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn the clips of each video into its one prediction (see the task's contract).

    `params` as `check_params` gives them.
    """
    return [[_describe(record, clips, params)] for clips in videos]


def segments(clips: Sequence[Clip], shares: torch.Tensor) -> Iterator[tuple[int, int, int, float]]:
    """Yield (start_ms, end_ms, class_id, confidence) of each run of clips of one best class.

    shares: (clips, labels). Where two windows overlap and differ, the border is the middle of what
    they share.
    """
    best = shares.argmax(dim=1).tolist()
    first, start = 0, clips[0].start_ms
    for number, (clip, after) in enumerate(pairwise(clips), start=1):
        if best[number] == best[first]:
            continue
        overlaps = after.start_ms < clip.end_ms
        border = (after.start_ms + clip.end_ms) // 2
        yield start, border if overlaps else clip.end_ms, best[first], _mean(shares, first, number)
        first, start = number, border if overlaps else after.start_ms
    yield start, clips[-1].end_ms, best[first], _mean(shares, first, len(clips))


def _mean(shares: torch.Tensor, first: int, stop: int) -> float:
    """Return the mean confidence of clips `first` to `stop` in the class that is best in them."""
    run = shares[first:stop]
    mean: float = shortest(run[:, run[0].argmax()].mean())
    return mean


def _describe(
    record: ModelRecord, clips: Sequence[Clip], params: Mapping[str, Any]
) -> dict[str, Any]:
    shares = torch.stack([clip.logits for clip in clips]).float().softmax(dim=1)
    least = params["min_confidence"]
    whole = shares.mean(dim=0)
    class_id = int(whole.argmax())
    return {
        **_named(record, class_id, shortest(whole[class_id])),
        "segments": [
            {"start_ms": start, "end_ms": end, **_named(record, each, confidence)}
            for start, end, each, confidence in segments(clips, shares)
            if confidence >= least
        ],
        "clips": [
            {
                "start_ms": clip.start_ms,
                "end_ms": clip.end_ms,
                "predictions": _best(record, row, params["top_k"], least),
            }
            for clip, row in zip(clips, shares, strict=True)
        ],
    }


def _best(
    record: ModelRecord, shares: torch.Tensor, top_k: int, least: float
) -> list[dict[str, Any]]:
    best = shares.topk(min(top_k, len(shares)))
    return [
        _named(record, class_id, confidence)
        for confidence, class_id in zip(shortest(best.values), best.indices.tolist(), strict=True)
        if confidence >= least
    ]


def _named(record: ModelRecord, class_id: int, confidence: float) -> dict[str, Any]:
    return {"class": record.labels[class_id], "class_id": class_id, "confidence": confidence}


def _alike(steps: Sequence[Step], spec: FramePreprocessing) -> list[list[int]]:
    """Group the positions of steps that may run as one batch."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for position, step in enumerate(steps):
        key = (len(_frames(step, spec)), step.state is not None)
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def _frames(step: Step, spec: FramePreprocessing) -> torch.Tensor:
    return step.frames if spec.carries else pad(step.frames, spec.windows[0])


def _inputs(frames: torch.Tensor, spec: FramePreprocessing, device: torch.device) -> torch.Tensor:
    """Normalise uint8 (B, T, channels, h, w) on the device: float32."""
    if device.type == "cuda":
        frames = frames.pin_memory()  # lets the copy run beside the device's work
    moved = frames.to(device, non_blocking=True)
    return normalise(moved.flatten(0, 1), spec).reshape(frames.shape)


def _answer(module: nn.Module, inputs: torch.Tensor, _group: Sequence[Step]) -> list[Stepped]:
    logits: torch.Tensor = module(inputs.transpose(1, 2))
    return [Stepped(row) for row in logits.float().cpu()]


def _carry(module: nn.Module, inputs: torch.Tensor, group: Sequence[Step]) -> list[Stepped]:
    logits, after = module(inputs, _stacked(group, inputs.device))
    states = zip(*(part.float().cpu() for part in after), strict=True)
    return [
        Stepped(row, tuple(state)) for row, state in zip(logits.float().cpu(), states, strict=True)
    ]


def _stacked(group: Sequence[Step], device: torch.device) -> State | None:
    """Put the states of several videos together; None at their beginnings."""
    states = [step.state for step in group if step.state is not None]
    if not states:
        return None
    return tuple(torch.stack(part).to(device) for part in zip(*states, strict=True))


TASK = VideoTask(
    "video-classification",
    check,
    prepare_frame,
    sampling,
    windows,
    infer,
    blank,
    postprocess,
)
