"""`python -m models.train NAME --out DIR`: train a shipped network, write weights and card.

Every network that is shipped can be trained: `digits`, `scenes-detector`, `scenes-segmenter`,
`motion`, and `all` of them, each by its own recipe. `folder DATA` trains on images or videos of
your own instead.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from models.answers.confusion import confusion_table
from models.catalog import SHIPPED
from models.measuring.card import digits_card
from models.measuring.clip_card import clip_card
from models.measuring.evaluation import evaluate
from models.measuring.scene_card import scene_card
from models.pictures.data import heldout_digits, train_digits
from models.runtime.weights import write
from models.training.clip_training import ClipRecipe, train_on_clips
from models.training.digits_training import Recipe, train
from models.training.folder_training import add_arguments, train_folder
from models.training.scene_training import RECIPES, SceneRecipe, train_on_scenes

AnyRecipe = Recipe | SceneRecipe | ClipRecipe
# A trained network and its card.
Product = tuple[nn.Module, str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, report line by line, and write NAME.safetensors and NAME.md into the folder."""
    options = _parser().parse_args(arguments)
    # One thread: sums are then taken in the same order on every machine.
    torch.set_num_threads(1)
    if options.network == "folder":
        train_folder(options)
    elif options.network == "all":
        for name in TRAINERS:
            main([name, "--out", str(options.out)])
    else:
        _train_shipped(options)


def _train_shipped(options: argparse.Namespace) -> None:
    module, card = TRAINERS[options.network](options)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = options.out / f"{options.network}.safetensors"
    weights.write_bytes(write(module.state_dict()))
    weights.with_suffix(".md").write_text(card, encoding="utf-8")
    print(f"wrote {weights} and {weights.with_suffix('.md')}")


def command_of(network: str, recipe: AnyRecipe) -> str:
    """Write the command that repeats a training."""
    return " ".join(
        [
            f"python -m models.train {network} --out DIR",
            *(f"--{name.replace('_', '-')} {value}" for name, value in asdict(recipe).items()),
        ]
    )


def _train_digits(options: argparse.Namespace) -> Product:
    record = SHIPPED[options.network]
    recipe = Recipe(options.epochs, options.batch, options.learning_rate, options.seed)
    training, heldout = train_digits(), heldout_digits()
    trained = train(record, training, heldout, recipe, print)
    print(confusion_table(trained.confusion, record.labels))
    print(f"held-out accuracy {trained.accuracy:.4f} in {trained.seconds:.1f} s")
    sizes = (len(training[1]), len(heldout[1]))
    command = command_of(record.name, recipe)
    return trained.module, digits_card(
        record, trained, recipe, command, sizes, str(torch.__version__)
    )


def _train_scenes(options: argparse.Namespace) -> Product:
    record = SHIPPED[options.network]
    recipe = SceneRecipe(options.steps, options.batch, options.learning_rate, options.seed)
    trained = train_on_scenes(record, recipe, lambda line: print(line, flush=True))
    figures = evaluate(record, write(trained.module.state_dict()))
    for name, value in figures.items():
        print(f"{name} {value:.4f}")
    print(f"in {trained.seconds:.1f} s")
    command = command_of(record.name, recipe)
    return trained.module, scene_card(
        record, trained, recipe, figures, command, str(torch.__version__)
    )


def _train_clips(options: argparse.Namespace) -> Product:
    record = SHIPPED[options.network]
    recipe = ClipRecipe(
        options.steps, options.epochs, options.batch, options.learning_rate, options.seed
    )
    trained = train_on_clips(record, recipe, lambda line: print(line, flush=True))
    figures = evaluate(record, write(trained.module.state_dict()))
    for name, value in figures.items():
        print(f"{name} {value:.4f}")
    print(f"in {trained.seconds:.1f} s")
    command = command_of(record.name, recipe)
    return trained.module, clip_card(
        record, trained, recipe, figures, command, str(torch.__version__)
    )


TRAINERS: Mapping[str, Callable[[argparse.Namespace], Product]] = {
    "digits": _train_digits,
    **dict.fromkeys(RECIPES, _train_scenes),
    "motion": _train_clips,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    networks = parser.add_subparsers(dest="network", required=True, metavar="NAME")
    add_arguments(networks.add_parser("folder", help="a data set of yours, a folder a class"))
    every = networks.add_parser("all", help="every network that is shipped")
    every.add_argument("--out", type=Path, required=True, help="folder for weights and cards")
    defaults: dict[str, AnyRecipe] = {"digits": Recipe(), **RECIPES, "motion": ClipRecipe()}
    for name, recipe in defaults.items():
        each = networks.add_parser(name, help=SHIPPED[name].description)
        each.add_argument("--out", type=Path, required=True, help="folder for weights and card")
        if not isinstance(recipe, Recipe):
            each.add_argument("--steps", type=int, default=recipe.steps)
        if not isinstance(recipe, SceneRecipe):
            each.add_argument("--epochs", type=int, default=recipe.epochs)
        each.add_argument("--batch", type=int, default=recipe.batch, help="pictures a step")
        each.add_argument("--learning-rate", type=float, default=recipe.learning_rate)
        each.add_argument("--seed", type=int, default=recipe.seed)
    return parser


if __name__ == "__main__":
    main()
