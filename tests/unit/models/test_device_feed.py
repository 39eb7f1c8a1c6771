"""The feed takes turns with its buffers, and halving covers every sample in order."""

from collections.abc import Sequence

import pytest
import torch

from models.device_feed import CpuLane, DeviceFeed, Sent, feed_for
from models.halving import in_halves
from models.tasks.task import Sample


class SlowLane(CpuLane):
    """A copy that takes place only when somebody waits for it, as late as CUDA's may."""

    def __init__(self) -> None:
        self.buffers: list[torch.Tensor] = []

    def buffer(self, size: int) -> torch.Tensor:
        self.buffers.append(super().buffer(size))
        return self.buffers[-1]

    def send(self, host: torch.Tensor) -> Sent:
        return SlowSent(host)


class SlowSent:
    def __init__(self, host: torch.Tensor) -> None:
        self._host, self._there = host, torch.empty(0)
        self._is_over = False

    def await_on_host(self) -> None:
        if not self._is_over:
            self._there, self._is_over = self._host.clone(), True

    def await_on_device(self) -> torch.Tensor:
        self.await_on_host()
        return self._there


def samples(first: int, count: int, kind: torch.dtype = torch.uint8) -> list[Sample]:
    """Give samples of which each has a value of its own."""
    values = range(first, first + count)
    return [Sample(torch.full((3, 4, 4), value, dtype=kind), 4, 4) for value in values]


def test_a_buffer_is_not_written_again_before_its_copy_is_over() -> None:
    feed = DeviceFeed(SlowLane())
    sent = [feed.put(samples(10 * number, 5)) for number in range(6)]
    for number, one in enumerate(sent):
        batch = one.await_on_device()
        assert batch[:, 0, 0, 0].tolist() == list(range(10 * number, 10 * number + 5))


def test_two_buffers_serve_any_number_of_batches_that_fit_them() -> None:
    lane = SlowLane()
    feed = DeviceFeed(lane)
    for count in (8, 8, 3, 8, 1, 5):
        feed.put(samples(0, count))
    assert len(lane.buffers) == 2
    feed.put(samples(0, 9)).await_on_device()
    assert len(lane.buffers) == 3


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_what_comes_is_what_was_put(kind: torch.dtype) -> None:
    batch = feed_for(torch.device("cpu")).put(samples(1, 3, kind)).await_on_device()
    assert batch.dtype == kind
    assert batch.shape == (3, 3, 4, 4)
    assert batch[:, 2, 3, 3].tolist() == [1, 2, 3]


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
