"""`python -m models.train digits --out DIR`: train a shipped network, write weights and card."""

# ruff: noqa: T201  # a command: what it prints is what it is for
import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from models.card import confusion_table, digits_card
from models.catalog import SHIPPED
from models.data import heldout_digits, train_digits
from models.training import Recipe, train
from models.weights import write


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, report line by line, and write NAME.safetensors and NAME.md into the folder."""
    options = _parser().parse_args(arguments)
    # One thread: sums are then taken in the same order on every machine.
    torch.set_num_threads(1)
    record = SHIPPED[options.network]
    recipe = Recipe(options.epochs, options.batch, options.learning_rate, options.seed)
    training, heldout = train_digits(), heldout_digits()
    trained = train(record, training, heldout, recipe, print)
    print(confusion_table(trained.confusion, record.labels))
    print(f"held-out accuracy {trained.accuracy:.4f} in {trained.seconds:.1f} s")
    command = (
        f"python -m models.train {options.network} --out DIR --epochs {recipe.epochs} "
        f"--batch {recipe.batch} --learning-rate {recipe.learning_rate} --seed {recipe.seed}"
    )
    sizes = (len(training[1]), len(heldout[1]))
    options.out.mkdir(parents=True, exist_ok=True)
    weights = options.out / f"{options.network}.safetensors"
    weights.write_bytes(write(trained.module.state_dict()))
    card = digits_card(record, trained, recipe, command, sizes, str(torch.__version__))
    weights.with_suffix(".md").write_text(card, encoding="utf-8")
    print(f"wrote {weights} and {weights.with_suffix('.md')}")


def _parser() -> argparse.ArgumentParser:
    default = Recipe()
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("network", choices=sorted(SHIPPED), help="which network to train")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--batch", type=int, default=default.batch, help="pictures a step")
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    return parser


if __name__ == "__main__":
    main()
