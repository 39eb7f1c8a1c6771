"""How many cores a lane computes with: all of them for a heavy network, else one."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.records.bounds import HEAVY_S
from models.tasks.task import Sample
from workers.engine.device.batcher import _REMEMBERED_KEYS, Batcher
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.chunk import Chunk

CORES = 4


class Network:
    """Computes for so long, on the core that it is on."""

    def __init__(self, core_s: float, own_cores: int | None = None) -> None:
        self.record: Any = SimpleNamespace(name="busy", max_batch=8)
        self.own_cores = own_cores
        self._core_s = core_s

    def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
        until = time.thread_time() + self._core_s * len(samples)
        while time.thread_time() < until:
            pass
        return torch.zeros(len(samples), 1)


@pytest.mark.parametrize(("core_s", "expected"), [(2 * HEAVY_S, CORES), (HEAVY_S / 20, 1)])
def test_after_its_first_batch_a_heavy_network_gets_all_cores_and_a_light_one_keeps_one(
    tmp_path: Path, core_s: float, expected: int
) -> None:
    used: list[int] = []
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"), CORES, used.append)
    network: Any = Network(core_s)
    for _ in range(3):
        chunk = Chunk(network, ("busy@1", "{}"), 1, 0, [])
        chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
        batcher.announce()
        batcher.put(chunk).result(30)
    batcher.close()
    assert used == [1, expected, expected]


@pytest.mark.parametrize(("core_s", "own"), [(2 * HEAVY_S, 1), (0.0, 2)])
def test_what_chooses_its_cores_itself_is_believed_whatever_it_takes(
    tmp_path: Path, core_s: float, own: int
) -> None:
    used: list[int] = []
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"), CORES, used.append)
    network: Any = Network(core_s, own)
    for _ in range(2):
        chunk = Chunk(network, ("own@1", "{}"), 1, 0, [])
        chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
        batcher.announce()
        batcher.put(chunk).result(30)
    batcher.close()
    assert used == [own, own]


def test_set_up_in_the_first_batch_does_not_make_a_network_heavy_for_good(tmp_path: Path) -> None:
    used: list[int] = []
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"), CORES, used.append)
    for core_s in (2 * HEAVY_S, 0.0, 2 * HEAVY_S, 0.0):
        network: Any = Network(core_s)
        chunk = Chunk(network, ("light@1", "{}"), 1, 0, [])
        chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
        batcher.announce()
        batcher.put(chunk).result(30)
    batcher.close()
    assert used == [1, CORES, 1, 1]


def test_what_a_network_takes_is_measured_for_each_key(tmp_path: Path) -> None:
    used: list[int] = []
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"), CORES, used.append)
    for key, core_s in (("heavy", 2 * HEAVY_S), ("light", 0.0), ("heavy", 0.0), ("light", 0.0)):
        network: Any = Network(core_s)
        chunk = Chunk(network, (key, "{}"), 1, 0, [])
        chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
        batcher.announce()
        batcher.put(chunk).result(30)
    batcher.close()
    assert used == [1, 1, CORES, 1]


def test_what_was_measured_is_not_kept_for_every_key_that_ever_was(tmp_path: Path) -> None:
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"))
    network: Any = Network(0.0)
    for number in range(_REMEMBERED_KEYS + 5):
        chunk = Chunk(network, ("light", str(number)), 1, 0, [])
        chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
        batcher.announce()
        batcher.put(chunk).result(30)
    batcher.close()
    assert len(batcher._core_s) == _REMEMBERED_KEYS
