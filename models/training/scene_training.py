"""Training the networks for scenes: fresh scenes at every step, the same ones for the same seed.

A step sees scenes that no step before has seen, all with digits of the training split; what
repeats is only the handwriting. Adam, its rate rising over the first steps and then falling along
a half cosine to nothing.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from models.networks import scenes_detector, scenes_segmenter
from models.pictures.scenes import SCENE_SIZE, Scene, make_scenes
from models.preprocessing.preprocess import normalise
from models.preprocessing.whole_pictures import spec_of
from models.records.record import ModelRecord
from models.runtime.torch_runtime import build

_WARM_UP_STEPS = 50
_REPORT_STEPS = 50
_LARGEST_GRADIENT = 10.0
Loss = Callable[[nn.Module, torch.Tensor, list[Scene]], torch.Tensor]


@dataclass(frozen=True)
class SceneRecipe:
    """How to train: so many steps of `batch` fresh scenes each."""

    steps: int
    batch: int
    learning_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class SceneTrained:
    """What training gave; `loss` is the mean of the last steps."""

    module: nn.Module
    seconds: float
    loss: float


def detector_loss(module: nn.Module, pictures: torch.Tensor, scenes: list[Scene]) -> torch.Tensor:
    """Return the loss of the detector on float32 (B, 1, H, W) pictures of these scenes."""
    assert isinstance(module, scenes_detector.ScenesDetector)
    boxes = [torch.from_numpy(scene.boxes) for scene in scenes]
    labels = [torch.from_numpy(scene.labels) for scene in scenes]
    scores, sides = module.heads(pictures)
    truth = scenes_detector.truth_of(boxes, labels, scores.shape[1], SCENE_SIZE)
    return scenes_detector.loss((scores, sides), truth)


def segmenter_loss(module: nn.Module, pictures: torch.Tensor, scenes: list[Scene]) -> torch.Tensor:
    """Return the loss of the segmenter on float32 (B, 1, H, W) pictures of these scenes."""
    masks = torch.from_numpy(np.stack([scene.mask for scene in scenes])).long()
    return scenes_segmenter.loss(module(pictures), masks)


# What the loss of each network is, and how it is trained unless told otherwise.
LOSSES: dict[str, Loss] = {"scenes-detector": detector_loss, "scenes-segmenter": segmenter_loss}
RECIPES: dict[str, SceneRecipe] = {
    "scenes-detector": SceneRecipe(steps=1200, batch=32),
    "scenes-segmenter": SceneRecipe(steps=900, batch=16),
}


def train_on_scenes(
    record: ModelRecord, recipe: SceneRecipe, report: Callable[[str], None]
) -> SceneTrained:
    """Train the record's architecture from random weights; `report` gets a line now and then.

    The caller's random state is left as it was.
    """
    started = time.monotonic()
    recent: list[float] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = build(record).to(memory_format=torch.channels_last).train()
        optimizer, schedule = adam(module.parameters(), recipe.learning_rate, recipe.steps)
        for step, scenes in enumerate(_batches(recipe), start=1):
            loss = LOSSES[record.architecture](module, _inputs(record, scenes), scenes)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            nn.utils.clip_grad_norm_(module.parameters(), _LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            recent = [*recent[1 - _REPORT_STEPS :], loss.item()]
            if step % _REPORT_STEPS == 0:
                seconds = time.monotonic() - started
                report(f"step {step}/{recipe.steps}  loss {np.mean(recent):.4f}  {seconds:.0f} s")
    return SceneTrained(module, time.monotonic() - started, float(np.mean(recent)))


def adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return Adam, its rate rising over fifty steps and falling to nothing over all of them."""
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)

    def share(step: int) -> float:
        rising = min(1.0, (step + 1) / _WARM_UP_STEPS)
        return rising * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _batches(recipe: SceneRecipe) -> Iterator[list[Scene]]:
    scenes = make_scenes(recipe.steps * recipe.batch, recipe.seed, "train")
    for _ in range(recipe.steps):
        yield [next(scenes) for _ in range(recipe.batch)]


def _inputs(record: ModelRecord, scenes: list[Scene]) -> torch.Tensor:
    """Prepare the scenes' pictures as serving does: float32 (B, 1, H, W)."""
    pictures = torch.from_numpy(np.stack([scene.image for scene in scenes]))
    return normalise(pictures.unsqueeze(1), spec_of(record))
