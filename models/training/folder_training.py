"""`python -m models.train folder DATA --out DIR`: train a network on a folder per class.

Writes NAME.safetensors, its record NAME.json and its card NAME.md. What is needed to go on after a
kill is kept beside them in NAME.training until the end; `--resume` takes it up.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from models.answers.confusion import confusion_table
from models.records.errors import ModelError
from models.training.datasets import open_images
from models.training.fitting import Fit
from models.training.new_records import new_record
from models.training.recipes import Recipe, read_recipe

# A kill costs at most so much of a training.
_SAVE_S = 30.0
_RECIPE = {
    "architecture": str,
    "epochs": int,
    "batch": int,
    "optimizer": str,
    "learning_rate": float,
    "weight_decay": float,
    "validation": float,
    "patience": int,
    "seed": int,
    "kernel_size": int,
    "activation": str,
    "pooling": str,
}

_CARD = """\
# {name}

{description}

| figure | value |
|---|---|
{figures}

Measured on the {validation} images held out of training; the best of {epochs} epochs counts.

Confusion (rows: true class, columns: found class):

{confusion}

Recipe: `{recipe}`
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell the parser what can be chosen."""
    parser.add_argument("data", type=Path, help="a folder, or a zip, with a folder for each class")
    parser.add_argument("--out", type=Path, required=True, help="folder for what is written")
    parser.add_argument("--name", help="what the model is called; default: as the data set is")
    parser.add_argument("--resume", action="store_true", help="go on where a kill broke it off")
    parser.add_argument(
        "--augmentation", help="such as shift,rotate; see models/training/recipes.py"
    )
    for name, kind in _RECIPE.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=argparse.SUPPRESS)


def train_folder(options: argparse.Namespace) -> None:
    """Train, and write what came of it; exits with 2 and one line when that is not possible."""
    try:
        _train(options)
    except ModelError as err:
        print(f"models.train: {err}", file=sys.stderr)
        raise SystemExit(2) from err


def _train(options: argparse.Namespace) -> None:
    recipe = _recipe_of(options)
    images = open_images(options.data)
    name = options.name or options.data.stem
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / name
    saved = path.with_name(f"{name}.training")
    state = saved.read_bytes() if options.resume and saved.exists() else None
    fit = Fit(new_record(name, recipe, images.labels), recipe, images, state=state)
    _run(fit, saved)
    record = fit.finished_record()
    path.with_name(f"{name}.safetensors").write_bytes(fit.best_weights())
    text = json.dumps(record.to_json(), indent=2) + "\n"
    path.with_name(f"{name}.json").write_text(text, encoding="utf-8")
    path.with_name(f"{name}.md").write_text(_card(fit), encoding="utf-8")
    saved.unlink(missing_ok=True)
    for row, why in fit.progress.skipped.items():
        print(f"skipped {images.name(row)}: {why}", file=sys.stderr)
    accuracy = record.metrics["validation_accuracy"]
    print(f"wrote {path}.safetensors, .json and .md: validation accuracy {accuracy:.4f}")


def _recipe_of(options: argparse.Namespace) -> Recipe:
    plain = {name: value for name, value in vars(options).items() if name in _RECIPE}
    if options.augmentation:
        plain["augmentation"] = options.augmentation.split(",")
    return read_recipe(plain)


def _run(fit: Fit, saved: Path) -> None:
    """Train to the end before the user's eyes, saving now and then and after each epoch."""
    columns = TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TimeRemainingColumn()
    steps = fit.steps_an_epoch
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=fit.recipe.epochs * steps, epoch=fit.progress.epoch + 1)
        while not fit.progress.is_over:
            epoch, until = fit.progress.epoch, time.monotonic() + _SAVE_S

            def is_time(epoch: int = epoch, until: float = until) -> bool:
                done = fit.progress.epoch * steps + fit.progress.position
                bar.update(task, completed=done, epoch=fit.progress.epoch + 1)
                return fit.progress.epoch > epoch or time.monotonic() > until

            fit.advance(is_time)
            _write_whole(saved, fit.save())
            if fit.progress.epoch > epoch:
                print(_epoch_line(fit), flush=True)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a kill leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def _epoch_line(fit: Fit) -> str:
    last, best = fit.progress.history[-1], fit.progress.best_epoch
    return (
        f"epoch {fit.progress.epoch}/{fit.recipe.epochs}  loss {last['training_loss']:.4f}  "
        f"accuracy {last['training_accuracy']:.4f}  validation loss {last['validation_loss']:.4f}"
        f"  accuracy {last['validation_accuracy']:.4f}  best epoch {best}"
    )


def _card(fit: Fit) -> str:
    record = fit.finished_record()
    return _CARD.format(
        name=record.name,
        description=record.description,
        figures="\n".join(f"| {name} | {value:.6g} |" for name, value in record.metrics.items()),
        validation=fit.sizes[1],
        epochs=fit.progress.epoch,
        confusion=confusion_table(np.asarray(fit.progress.confusion, np.int64), record.labels),
        recipe=fit.recipe.model_dump_json(exclude_none=True),
    )
