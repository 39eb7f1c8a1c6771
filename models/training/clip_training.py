"""Training the network for moving digits, in two stages; the same every time for the same seed.

First the encoder learns to see: fresh single frames at every step, no two of one stream, so that a
step shows many digits. Two layers that only training has ask of what it saw which digit that is,
and of where, the place of the digit's centre.

Then the memory learns over streams, whose frames the encoder, which stays as it is, has encoded
once. A group of streams goes forward together, a window at a time, and the state is carried from
window to window; gradients flow back through one window alone (truncated back-propagation through
time: Williams and Peng "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent
Network Trajectories", 1990). Every frame has its loss, so that the network may be asked after any.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from models.networks.motion import WHAT, WHERE, Motion, State
from models.pictures.clips import CLIP_FRAMES, CLIP_SIZE, Film, Stream
from models.preprocessing.preprocess import normalise
from models.records.record import ModelRecord
from models.runtime.torch_runtime import build
from models.tasks.video_classification import spec_of
from models.training.scene_training import adam

_REPORT_STEPS = 50
_GROUPS = 3  # of `batch` streams each
_WINDOWS = 30  # of a stream that the memory learns from: a minute at eight frames a second
_LARGEST_GRADIENT = 1.0
# How much an error of the place, in half widths of a picture, counts beside one of the digit.
_PLACE_WEIGHT = 8.0
Report = Callable[[str], None]


@dataclass(frozen=True)
class ClipRecipe:
    """How to train: so many steps of `batch` frames each, then so many epochs over the streams.

    Each stage begins at its learning rate, which falls along a half cosine to nothing.
    """

    steps: int = 700
    epochs: int = 25
    batch: int = 128
    learning_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class ClipTrained:
    """What training gave; `loss` is the mean of the last epoch."""

    module: nn.Module
    seconds: float
    loss: float


@dataclass(frozen=True)
class _Seen:
    """One window of B streams, T frames each, as the encoder saw it.

    what: float32 (B, T, 96). where: float32 (B, T, 32). digits, directions: int64 (B T,).
    """

    what: torch.Tensor
    where: torch.Tensor
    digits: torch.Tensor
    directions: torch.Tensor


def train_on_clips(record: ModelRecord, recipe: ClipRecipe, report: Report) -> ClipTrained:
    """Train the record's architecture from random weights; `report` gets a line now and then.

    The caller's random state is left as it was.
    """
    started = time.monotonic()
    random = np.random.default_rng(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = build(record).to(memory_format=torch.channels_last)
        assert isinstance(module, Motion)
        _learn_to_see(record, module.train(), recipe, random, report)
        module.eval()
        seen = [_see(record, module, _streams(recipe, random)) for _ in range(_GROUPS)]
        loss = _learn_to_remember(module, seen, recipe, report)
    return ClipTrained(module, time.monotonic() - started, loss)


def _learn_to_see(
    record: ModelRecord,
    module: Motion,
    recipe: ClipRecipe,
    random: np.random.Generator,
    report: Report,
) -> None:
    """Train the encoder on single frames."""
    digit, centre = nn.Linear(WHAT, module.digit.out_features), nn.Linear(WHERE, 2)
    taught = nn.ModuleList([module, digit, centre])
    optimizer, schedule = adam(taught.parameters(), recipe.learning_rate, recipe.steps)
    recent: list[float] = []
    for step in range(1, recipe.steps + 1):
        films = [stream.take(1) for stream in _streams(recipe, random)]
        what, where = module.see(_inputs(record, films))
        loss = nn.functional.cross_entropy(digit(what), _true(films, "digits"))
        centres = _true(films, "centres").float() / (CLIP_SIZE / 2) - 1
        loss = loss + _PLACE_WEIGHT * nn.functional.mse_loss(centre(where), centres)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
        recent = [*recent[1 - _REPORT_STEPS :], loss.item()]
        if step % _REPORT_STEPS == 0:
            report(f"seeing: step {step}/{recipe.steps}  loss {np.mean(recent):.4f}")


def _see(record: ModelRecord, module: Motion, streams: list[Stream]) -> list[_Seen]:
    """Let the encoder see every stream for `_WINDOWS` windows."""
    seen = []
    for _ in range(_WINDOWS):
        films = [stream.take(CLIP_FRAMES) for stream in streams]
        with torch.no_grad():
            what, where = module.see(_inputs(record, films))
        shape = (len(streams), CLIP_FRAMES, -1)
        digits, directions = _true(films, "digits"), _true(films, "directions")
        seen.append(_Seen(what.reshape(shape), where.reshape(shape), digits, directions))
    return seen


def _learn_to_remember(
    module: Motion, seen: list[list[_Seen]], recipe: ClipRecipe, report: Report
) -> float:
    """Train the memory and what reads it; returns the mean loss of the last epoch."""
    parts = nn.ModuleList([module.memory, module.digit, module.direction])
    steps = recipe.epochs * _GROUPS * _WINDOWS
    optimizer, schedule = adam(parts.parameters(), recipe.learning_rate, steps)
    losses: list[float] = []
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for group in seen:
            state = None
            for window in group:
                loss, state = _remember(module, window, state)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                nn.utils.clip_grad_norm_(parts.parameters(), _LARGEST_GRADIENT)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
        report(f"remembering: epoch {epoch}/{recipe.epochs}  loss {np.mean(losses):.4f}")
    return float(np.mean(losses))


def _remember(module: Motion, window: _Seen, state: State | None) -> tuple[torch.Tensor, State]:
    """Return the loss over all frames of a window, and the state to go on with."""
    digits, directions, (h, c, p) = module.remember(window.what, window.where, state)
    loss = nn.functional.cross_entropy(digits.flatten(0, 1), window.digits)
    loss = loss + nn.functional.cross_entropy(directions.flatten(0, 1), window.directions)
    return loss, (h.detach(), c.detach(), p)


def _streams(recipe: ClipRecipe, random: np.random.Generator) -> list[Stream]:
    return [Stream(each, "train") for each in random.spawn(recipe.batch)]


def _inputs(record: ModelRecord, films: list[Film]) -> torch.Tensor:
    """Prepare the films' frames as serving does: float32 (N, 1, CLIP_SIZE, CLIP_SIZE)."""
    frames = torch.from_numpy(np.concatenate([film.frames for film in films]))
    return normalise(frames.unsqueeze(1), spec_of(record))


def _true(films: list[Film], what: Literal["digits", "directions", "centres"]) -> torch.Tensor:
    """Put what is true of all films' frames together: (N, ...)."""
    return torch.from_numpy(np.concatenate([getattr(film, what) for film in films]))
