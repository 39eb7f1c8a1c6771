"""Numbers of float32 are written as short as they are."""

from decimal import Decimal

import numpy as np
import torch

from models.answers.numbers import shortest


def test_a_number_is_the_shortest_that_names_its_float32() -> None:
    assert shortest(torch.tensor([[0.001, 1.0], [1 / 3, 0.0]])) == [[0.001, 1.0], [0.33333334, 0.0]]
    assert shortest(torch.tensor(0.001)) == 0.001
    assert float(torch.tensor(0.001)) == 0.0010000000474974513


def test_it_is_the_same_number_again() -> None:
    every = torch.tensor(
        np.random.default_rng(1).integers(0, 2**32, 100_000, np.uint32).view(np.float32)
    )
    numbers = every[torch.isfinite(every)]
    assert torch.equal(torch.tensor(shortest(numbers), dtype=torch.float32), numbers)
    written = [Decimal(repr(each)).normalize() for each in shortest(numbers[:1000])]
    # Nine tell every float32 from its neighbours.
    assert max(len(each.as_tuple().digits) for each in written) <= 9


def test_what_is_not_finite_stays_what_it_is_and_nothing_stays_nothing() -> None:
    odd = shortest(torch.tensor([float("nan"), float("inf"), 0.1]))
    assert np.isnan(odd[0])
    assert odd[1:] == [float("inf"), 0.1]
    assert shortest(torch.zeros(0, 3)) == []
    assert shortest(torch.zeros(2, 0)) == [[], []]
