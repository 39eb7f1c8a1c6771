"""`python -m models.evaluate`: measure the shipped networks again and hold them to their cards.

Exits with 1 when a figure falls more than 0.01 below its card.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import sys
from collections.abc import Iterable

from models.catalog import SHIPPED, ModelRecord, shipped_weights
from models.measuring.evaluation import evaluate

TOLERANCE = 0.01


def main(records: Iterable[ModelRecord] = tuple(SHIPPED.values())) -> int:
    """Print a table of the records' figures against measurement; returns the exit status."""
    print(f"{'network':<18}{'figure':<28}{'card':>10}{'measured':>10}")
    fallen = 0
    for record in records:
        measured = evaluate(record, shipped_weights(record.name).read_bytes())
        for figure, value in measured.items():
            card = record.metrics[figure]
            verdict = "" if value >= card - TOLERANCE else "  below its card"
            fallen += bool(verdict)
            print(f"{record.name:<18}{figure:<28}{card:>10.4f}{value:>10.4f}{verdict}")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
