"""What a network runs before the first real input."""

from collections.abc import Sequence

import pytest
import torch

from models.catalog import SHIPPED, shipped_weights
from models.runtime import network as network_module
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from models.tasks.task import Outputs, Sample


def sizes_of(
    network: ImageNetwork, monkeypatch: pytest.MonkeyPatch, most: int = 10**9
) -> list[int]:
    """Warm up; gives the sizes of the batches, of which larger ones than `most` do not fit."""
    sizes: list[int] = []
    forward = network.forward

    def noted(inputs: Sequence[Sample]) -> Outputs:
        sizes.append(len(inputs))
        if len(inputs) > most:
            raise torch.OutOfMemoryError("too large")
        return forward(inputs)

    monkeypatch.setattr(network, "forward", noted)
    network.warm_up()
    return sizes


@pytest.fixture
def digits() -> ImageNetwork:
    network = load(SHIPPED["digits"], shipped_weights("digits").read_bytes())
    assert isinstance(network, ImageNetwork)
    return network


def test_a_whole_batch_takes_its_memory_at_once(
    digits: ImageNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "_WARM_UP_S", 3600.0)
    assert sizes_of(digits, monkeypatch) == [1, 1, digits.record.max_batch]


def test_a_network_that_takes_long_is_not_kept_busy_with_nothing(
    digits: ImageNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "_WARM_UP_S", 0.0)
    assert sizes_of(digits, monkeypatch) == [1, 1]


def test_a_batch_that_does_not_fit_is_left_to_the_first_real_one(
    digits: ImageNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "_WARM_UP_S", 3600.0)
    assert sizes_of(digits, monkeypatch, most=1) == [1, 1, digits.record.max_batch]
