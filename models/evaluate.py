"""`python -m models.evaluate`: measure the shipped networks again and hold them to their cards.

Pictures go the way that a caller's go: PNG bytes -> prepare -> forward -> postprocess. Exits with
1 when a figure falls more than 0.01 below its card.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import sys
from collections.abc import Iterable, Mapping

from models.catalog import SHIPPED, ModelRecord, check_params, shipped_weights
from models.data import Labels, Pixels, encode, heldout_digits
from models.registry import Network, load

TOLERANCE = 0.01


def main(records: Iterable[ModelRecord] = tuple(SHIPPED.values())) -> int:
    """Print a table of the records' figures against measurement; returns the exit status."""
    print(f"{'network':<12}{'figure':<20}{'card':>10}{'measured':>10}")
    fallen = 0
    for record in records:
        measured = evaluate(record, shipped_weights(record.name).read_bytes())
        for figure, value in measured.items():
            card = record.metrics[figure]
            verdict = "" if value >= card - TOLERANCE else "  below its card"
            fallen += bool(verdict)
            print(f"{record.name:<12}{figure:<20}{card:>10.4f}{value:>10.4f}{verdict}")
    return 1 if fallen else 0


def evaluate(record: ModelRecord, weights: bytes) -> Mapping[str, float]:
    """Measure a digits network's figures on the held-out pictures."""
    network = load(record, weights)
    return {"heldout_accuracy": accuracy(network, *heldout_digits())}


def accuracy(network: Network, images: Pixels, labels: Labels) -> float:
    """Return the share of uint8 (N, H, W) pictures whose best class is the right one."""
    params = check_params(network.record.task, {})
    right = 0
    for start in range(0, len(labels), network.record.max_batch):
        batch = slice(start, start + network.record.max_batch)
        samples = [network.prepare(encode(image, ".png")) for image in images[batch]]
        found = network.postprocess(network.forward(samples), params)
        right += sum(
            predictions[0]["class_id"] == label
            for predictions, label in zip(found, labels[batch], strict=True)
        )
    return right / len(labels)


if __name__ == "__main__":
    sys.exit(main())
