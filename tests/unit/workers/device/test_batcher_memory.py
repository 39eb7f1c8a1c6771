"""A sample that lacks memory beside other batches runs once more, alone, before it is told so."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.tasks.task import Sample
from tests.unit.workers.device.test_batcher_lanes import DEADLINE_S, LIGHT, OTHER, announce, put
from workers.engine.device.batcher import Batcher
from workers.engine.holding.flight import FlightRecord


class Memory:
    """A device's memory, in samples."""

    def __init__(self, samples: int) -> None:
        self._free, self._lock = samples, threading.Lock()

    def take(self, samples: int) -> None:
        with self._lock:
            if samples > self._free:
                raise torch.OutOfMemoryError(f"{samples} samples, and {self._free} are free")
            self._free -= samples

    def give_back(self, samples: int) -> None:
        with self._lock:
            self._free += samples


class Network:
    """Takes memory for each sample; holds it until it may end."""

    def __init__(self, memory: Memory, *, waits: bool = False) -> None:
        self.record: Any = SimpleNamespace(name="large", max_batch=4)
        self.own_cores = None
        self.computes, self.may_end = threading.Event(), threading.Event()
        self._memory = memory
        if not waits:
            self.may_end.set()

    def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
        self._memory.take(len(samples))
        try:
            self.computes.set()
            assert self.may_end.wait(DEADLINE_S)
            return torch.zeros(len(samples), 1)
        finally:
            self._memory.give_back(len(samples))


@pytest.fixture
def batcher(tmp_path: Path) -> Batcher:
    made = Batcher(0.0, FlightRecord(tmp_path / "flight"), lanes=2)
    yield made
    made.close()


def test_it_is_computed_when_the_memory_is_free_again(batcher: Batcher) -> None:
    memory = Memory(4)
    holding, wanting = Network(memory, waits=True), Network(memory)
    announce(batcher, 2)
    held = put(batcher, holding, 4, LIGHT)
    assert holding.computes.wait(DEADLINE_S)
    chunk = put(batcher, wanting, 2, OTHER)
    with pytest.raises(TimeoutError):
        chunk.pieces.result(0.3)
    holding.may_end.set()
    (piece,) = chunk.pieces.result(DEADLINE_S)
    assert (piece.count, piece.error) == (2, None)
    assert held.pieces.result(DEADLINE_S)[0].error is None


def test_what_lacks_memory_alone_is_told_so(batcher: Batcher) -> None:
    announce(batcher, 1)
    pieces = put(batcher, Network(Memory(0)), 2).pieces.result(DEADLINE_S)
    assert [piece.error.code for piece in pieces if piece.error] == ["out_of_memory"] * 2


def test_its_company_in_the_batch_need_not_wait_for_it(batcher: Batcher) -> None:
    class Picky(Network):
        def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
            if any(sample.height == 99 for sample in samples):
                raise torch.OutOfMemoryError("one of them is large")
            return super().forward(samples)

    network = Picky(Memory(4))
    announce(batcher, 2)
    with batcher._changed:  # both are there before a lane looks
        small, large = put(batcher, network, 1), put(batcher, network, 1)
        large.samples[0] = Sample(torch.zeros(1, 2, 2), 99, 2)
    assert small.pieces.result(DEADLINE_S)[0].error is None
    assert not small.was_put_back
    assert large.pieces.result(DEADLINE_S)[0].error is not None
    assert large.was_put_back


def test_keys_that_ran_alone_are_forgotten_before_they_are_too_many(
    batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.device.batcher._REMEMBERED_KEYS", 2)
    for number in range(5):
        announce(batcher, 1)
        chunk = put(batcher, Network(Memory(0)), 1, (f"{number}@1", "{}"))
        assert chunk.pieces.result(DEADLINE_S)[0].error is not None
    assert len(batcher._large) <= 2
