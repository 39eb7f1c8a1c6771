"""Training a classifier from arrays, the same every time: Adam, cross-entropy, a fixed seed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.preprocessing.preprocess import Preprocessing, normalise
from models.records.record import ModelRecord
from models.runtime.torch_runtime import build

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Dataset = tuple[Pixels, Labels]

# The largest shift, in pixels of 28, by which training moves a picture.
_SHIFT = 2


@dataclass(frozen=True)
class Recipe:
    """How to train. `learning_rate` falls along a half cosine to nothing over all steps."""

    epochs: int = 10
    batch: int = 32
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What training gave. `confusion[i, j]`: held-out pictures of class i taken for class j."""

    module: nn.Module
    accuracy: float
    confusion: NDArray[np.int64]
    seconds: float
    losses: list[float] = field(default_factory=list)


def train(
    record: ModelRecord,
    training: Dataset,
    heldout: Dataset,
    recipe: Recipe,
    report: Callable[[str], None],
) -> Trained:
    """Train the record's architecture on uint8 (N, H, W) pictures and int labels (N,).

    The held-out set is only measured for the report; no step depends on it. `report` gets one line
    an epoch. The caller's random state is left as it was.
    """
    started = time.monotonic()
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = build(record)
        optimizer, schedule = _adam(module, recipe, len(training[1]))
        for epoch in range(1, recipe.epochs + 1):
            loss = _epoch(record, module, training, recipe, optimizer, schedule)
            confusion = confusion_matrix(record, module, heldout)
            losses.append(loss)
            report(
                f"epoch {epoch}/{recipe.epochs}  loss {loss:.4f}  "
                f"held-out accuracy {accuracy_of(confusion):.4f}"
            )
    confusion = confusion_matrix(record, module, heldout)
    seconds = time.monotonic() - started
    return Trained(module, accuracy_of(confusion), confusion, seconds, losses)


def confusion_matrix(record: ModelRecord, module: nn.Module, dataset: Dataset) -> NDArray[np.int64]:
    """Count (true class, predicted class) pairs: int64 (classes, classes)."""
    images, labels = dataset
    module.eval()
    with torch.inference_mode():
        logits = module(_inputs(record, torch.from_numpy(images)))
    counts = np.zeros((len(record.labels), len(record.labels)), np.int64)
    np.add.at(counts, (labels, logits.argmax(dim=1).numpy()), 1)
    return counts


def accuracy_of(confusion: NDArray[np.int64]) -> float:
    """Return the share of pictures on the diagonal."""
    return float(np.trace(confusion) / confusion.sum())


def _adam(
    module: nn.Module, recipe: Recipe, pictures: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return Adam and its falling learning rate."""
    optimizer = torch.optim.Adam(module.parameters(), lr=recipe.learning_rate)
    steps = recipe.epochs * -(-pictures // recipe.batch)
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)


def _epoch(
    record: ModelRecord,
    module: nn.Module,
    training: Dataset,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """Go once through the training set in random order; returns the mean loss."""
    module.train()
    total = 0.0
    for images, labels in _batches(training, recipe.batch):
        loss = nn.functional.cross_entropy(module(_inputs(record, images)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
        total += loss.item() * len(labels)
    return total / len(training[1])


def _batches(dataset: Dataset, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield shuffled batches, each rolled a little (edges wrap) so that position teaches less."""
    images, labels = map(torch.from_numpy, dataset)
    for rows in torch.randperm(len(labels)).split(size):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        down, right = torch.randint(-_SHIFT, _SHIFT + 1, (2,)).tolist()
        yield torch.roll(images[rows], (down, right), dims=(1, 2)), labels[rows]


def _inputs(record: ModelRecord, images: torch.Tensor) -> torch.Tensor:
    """Prepare uint8 (B, H, W) as serving does: float32 (B, 1, H, W)."""
    return normalise(images.unsqueeze(1), Preprocessing.read(record.preprocess))
