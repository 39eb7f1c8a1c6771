"""Running a batch in halves when it fails, down to single samples.

One that is too large for the device finds its size, and one with a bad sample finds the sample.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

Sample = TypeVar("Sample")
Outputs = TypeVar("Outputs")


def in_halves(
    run: Callable[[Sequence[Sample]], Outputs],
    samples: Sequence[Sample],
    failed: Callable[[int, Exception], object],
) -> list[tuple[int, Outputs | Exception]]:
    """Run samples together if that works; gives (number of samples, outputs or why there are none).

    The parts cover the samples in order; an exception stands for one sample. `failed` is told of
    every run that did not work, with its number of samples, and may end it all by raising.
    """
    try:
        return [(len(samples), run(samples))]
    except Exception as err:  # whatever a network raises costs samples, not the process
        failed(len(samples), err)
        if len(samples) == 1:
            return [(1, err.with_traceback(None))]
    # Outside the block: an exception keeps its frames, and so the memory that was short.
    half = len(samples) // 2
    return in_halves(run, samples[:half], failed) + in_halves(run, samples[half:], failed)
