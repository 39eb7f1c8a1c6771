"""Halving covers every sample in order."""

from collections.abc import Sequence

import torch

from models.runtime.halving import in_halves


def test_a_batch_that_is_too_large_is_run_in_halves_that_fit() -> None:
    sizes = []

    def run(some: Sequence[int]) -> list[int]:
        if len(some) > 3:
            raise torch.OutOfMemoryError("too many")
        return list(some)

    parts = in_halves(run, list(range(10)), lambda size, _: sizes.append(size))
    assert [number for _, given in parts for number in given] == list(range(10))
    assert [count for count, _ in parts] == [2, 3, 2, 3]
    assert sizes == [10, 5, 5]


def test_a_bad_sample_costs_itself_alone() -> None:
    def run(some: Sequence[int]) -> list[int]:
        if 5 in some:
            raise ValueError("five")
        return list(some)

    parts = in_halves(run, list(range(8)), lambda *_: None)
    assert [number for _, given in parts if isinstance(given, list) for number in given] == [
        0, 1, 2, 3, 4, 6, 7,
    ]  # fmt: skip
    (bad,) = [(count, given) for count, given in parts if isinstance(given, Exception)]
    assert bad[0] == 1
    assert str(bad[1]) == "five"
