"""Training a network on labelled images or videos, in steps that can be taken up elsewhere.

    Fit(…) ──step, step, …──► save ─bytes─► Fit(…, state) ──step, …──► is_over ──► best_weights

An epoch is a batch of training images after the other, in an order of its own, then the images held
out, prepared as serving prepares them. All randomness of a step is drawn from the seed, the epoch
and the step's number, never from what was drawn before: so a run that was taken up again takes the
same steps as an unbroken one, and on one CPU thread gives the same weights to the last bit.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.transforms import functional as tv

from models.records.errors import DatasetError, InputError, TrainingFailed, WeightsError
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.network import in_native_order
from models.runtime.torch_runtime import build
from models.training.augmentation import augment
from models.training.datasets import Images, Rows, split
from models.training.examples import Decoders, DecodersHere, examples_of
from models.training.new_records import with_figures
from models.training.optimizers import new_optimizer, optimizer_tensors, restore_optimizer
from models.training.progress import Progress, count_pairs
from models.training.recipes import Recipe

# More files than this that cannot be used mean that the data set is not what it was meant to be.
MOST_SKIPPED = 1000
# The stream of random numbers of each kind of decision.
_ORDER, _STEP = 1, 2


class _Batch(NamedTuple):
    """examples: float32 (B, C, H, W), of videos (B, T, C, H, W), in [0, 1]; classes: int64 (B,)."""

    examples: torch.Tensor
    classes: torch.Tensor


class Fit:
    """One training; belongs to one thread at a time."""

    def __init__(
        self,
        record: ModelRecord,
        recipe: Recipe,
        images: Images,
        device: str = "cpu",
        state: bytes | None = None,
        decoders: Decoders | None = None,
    ) -> None:
        """Begin anew, or where `save` gave `state`; `decoders` are needed for what is not trusted.

        Raises WeightsError when `state` is damaged or of another training, RecordError.
        """
        self.record, self.recipe, self._images = record, recipe, images
        self._device = torch.device(device)
        self._examples = examples_of(record, decoders or DecodersHere())
        self._split = split(images.classes, recipe.validation, recipe.seed)
        self._module = self._new_module()
        self._optimizer = new_optimizer(recipe, self._module)
        self._best: dict[str, torch.Tensor] = {}
        self.progress = Progress()
        if state is not None:
            self._restore(state)
        self._plan = self._plan_epoch()

    @property
    def steps_an_epoch(self) -> int:
        """Batches of an epoch, held out ones too."""
        return sum(map(len, self._plan))

    @property
    def sizes(self) -> tuple[int, int]:
        """Images to learn from, and held out."""
        return len(self._split.training), len(self._split.validation)

    def advance(self, is_time: Callable[[], bool]) -> None:
        """Take steps, at least one, until it is time to stop or the training is over.

        Raises DatasetError when too little of the data set can be used, TrainingFailed when
        nothing is learned of it; OutOfMemoryError of torch when a batch does not fit the device.
        """
        while not self.progress.is_over:
            self._step()
            if is_time():
                return

    def save(self) -> bytes:
        """Write everything that the next step depends on, as safetensors."""
        tensors = {f"module.{name}": value for name, value in self._module.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        tensors |= optimizer_tensors(self._optimizer)
        # One entry: safetensors writes several in no fixed order.
        said = json.dumps([self._fingerprint(), self.progress.to_json()])
        return weights_file.write(tensors, {"training": said})

    def best_weights(self) -> bytes:
        """Write the weights of the best epoch, as a version of a model holds them."""
        return weights_file.write(self._best)

    def finished_record(self) -> ModelRecord:
        """Give the record of the best epoch, with its figures."""
        best = self.progress.best
        figures = {name: best[name] for name in ("validation_accuracy", "validation_loss")}
        parameters = sum(each.numel() for each in self._module.parameters())
        training, validation = self.sizes
        return with_figures(
            self.record,
            {
                **figures,
                "epoch": best["epoch"],
                "training_images": training,
                "validation_images": validation,
                "parameters": parameters,
            },
        )

    def _step(self) -> None:
        learning, measuring = self._plan
        position = self.progress.position
        if position < len(learning):
            self._learn(learning[position])
        else:
            self._measure(measuring[position - len(learning)])
        self.progress.position += 1
        if self.progress.position == self.steps_an_epoch:
            self._close_epoch()

    def _learn(self, rows: Rows) -> None:
        batch = self._load(rows)
        # Batch normalisation has nothing to compare a single picture with.
        if batch is None or len(batch.classes) < 2:
            return
        rate = self._learning_rate()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with self._seeded() as generator:
            varied = augment(batch.examples, self.recipe.augmentation, generator)
            inputs = self._examples.inputs(varied)
            logits = self._examples.scores(self._module.train(), inputs)
            loss = nn.functional.cross_entropy(logits, batch.classes)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if not loss.isfinite():
            raise TrainingFailed(
                f"The loss became {loss.item()} in epoch {self.progress.epoch + 1}: the steps were "
                f"too large. Train again with a learning rate below {rate:.2g}."
            )
        self._optimizer.step()
        right = int((logits.argmax(dim=1) == batch.classes).sum())
        self.progress.learned.add(loss.item(), right, len(batch.classes))

    def _measure(self, rows: Rows) -> None:
        batch = self._load(rows)
        if batch is None:
            return
        with torch.inference_mode():
            inputs = self._examples.inputs(batch.examples)
            logits = self._examples.scores(self._module.eval(), inputs)
            loss = nn.functional.cross_entropy(logits, batch.classes)
        found, truth = logits.argmax(dim=1).tolist(), batch.classes.tolist()
        progress, labels = self.progress, range(len(self.record.labels))
        progress.counts = progress.counts or [[0 for _ in labels] for _ in labels]
        count_pairs(progress.counts, truth, found)
        right = sum(true == guess for true, guess in zip(truth, found, strict=True))
        progress.measured.add(loss.item(), right, len(truth))

    def _close_epoch(self) -> None:
        progress, recipe = self.progress, self.recipe
        if progress.epoch == 0:
            self._check_usable()
        if progress.close_epoch(self._learning_rate()):
            tensors = self._module.state_dict().items()
            self._best = {name: value.detach().cpu().clone() for name, value in tensors}
        waited = progress.epoch - progress.best_epoch
        is_late = recipe.patience is not None and waited >= recipe.patience
        progress.is_over = progress.epoch == recipe.epochs or is_late
        self._plan = self._plan_epoch()

    def _load(self, rows: Rows) -> _Batch | None:
        """Read, decode and prepare images as serving does; those that cannot be are skipped."""
        wanted = np.asarray(
            [row for row in rows if int(row) not in self.progress.skipped], np.int64
        )
        examples, classes = [], []
        for row, content in zip(wanted.tolist(), self._images.read(wanted), strict=True):
            try:
                if isinstance(content, InputError):
                    raise content
                examples.append(self._examples.read(content))
                classes.append(self._images.classes[row])
            except InputError as err:
                self._skip(row, str(err))
        if not examples:
            return None
        batch = torch.stack(examples).to(self._device)
        labels = torch.from_numpy(np.asarray(classes, np.int64)).to(self._device)
        return _Batch(tv.convert_image_dtype(batch, torch.float), labels)

    def _skip(self, row: int, why: str) -> None:
        skipped = self.progress.skipped
        skipped[row] = why
        if len(skipped) > MOST_SKIPPED:
            raise DatasetError(
                f"More than {MOST_SKIPPED:,} files of the data set cannot be used, among them "
                f"{self._images.name(row)!r}: {why}"
            )

    def _check_usable(self) -> None:
        """Refuse a data set of which, once all of it was read, a class has too little left."""
        skipped = np.asarray([*self.progress.skipped], np.int64)
        for rows, purpose in zip(self._split, ("learn from", "measure by"), strict=True):
            left = set(self._images.classes[np.setdiff1d(rows, skipped)].tolist())
            for position, label in enumerate(self.record.labels):
                if position not in left:
                    row = next(row for row in skipped if self._images.classes[row] == position)
                    raise DatasetError(
                        f"No file of class {label!r} is left to {purpose}: "
                        f"{self._images.name(row)!r} cannot be used, for example. "
                        f"{self.progress.skipped[int(row)]}"
                    )

    def _plan_epoch(self) -> tuple[list[Rows], list[Rows]]:
        """Give the rows of each batch of the running epoch, to learn from and held out."""
        random = np.random.default_rng([self.recipe.seed, _ORDER, self.progress.epoch])
        shuffled = random.permutation(self._split.training)
        held_out = _batches(self._split.validation, self.record.max_batch)
        return _batches(shuffled, self.recipe.batch), held_out

    def _learning_rate(self) -> float:
        """Give the rate of this step: along a half cosine from the recipe's to nothing."""
        done = self.progress.epoch + min(1.0, self.progress.position / len(self._plan[0]))
        share = min(1.0, done / self.recipe.epochs)
        return self.recipe.first_learning_rate * 0.5 * (1 + math.cos(math.pi * share))

    @contextmanager
    def _seeded(self) -> Iterator[torch.Generator]:
        """Have this step draw its own random numbers, dropout's too, and leave others' alone."""
        numbers = [self.recipe.seed, _STEP, self.progress.epoch, self.progress.position]
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)

    def _new_module(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            module = build(self.record)
        return in_native_order(module.to(self._device))

    def _restore(self, state: bytes) -> None:
        said = weights_file.read_metadata(state).get("training", "[null, null]")
        fingerprint, progress = json.loads(said)
        if fingerprint != self._fingerprint():
            raise WeightsError(
                "The saved state is of another training: its recipe or data set differs. Begin "
                "anew, in another folder."
            )
        tensors = weights_file.read(state)
        # Not `fill`, which leaves out what only training reads.
        weights_file.fill_exactly(self._module, _part(tensors, "module."))
        self._best = _part(tensors, "best.")
        restore_optimizer(self._optimizer, tensors)
        self.progress = Progress.from_json(progress)

    def _fingerprint(self) -> str:
        """Name what makes a training this one: recipe, labels, and each image's class."""
        said = [self.recipe.model_dump(mode="json"), self.record.labels]
        classes = np.ascontiguousarray(self._images.classes).tobytes()
        return hashlib.sha256(json.dumps(said).encode() + classes).hexdigest()


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _batches(rows: Rows, size: int) -> list[Rows]:
    """Cut rows into batches; a last one of a single row joins the one before."""
    starts = list(range(0, len(rows), size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return np.split(rows, starts[1:])
