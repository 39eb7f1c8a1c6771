"""New networks are warmed up where batches run: in a lane."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.records.errors import WeightsError
from workers.engine.device.batcher import Batcher
from workers.engine.holding.flight import FlightRecord


class Cold:
    """A network that notes where it is warmed up."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.threads = fault, list[str]()

    def warm_up(self) -> None:
        self.threads.append(threading.current_thread().name)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def batcher(tmp_path: Path) -> Iterator[Batcher]:
    batcher = Batcher(0.0, FlightRecord(tmp_path / "flight"))
    yield batcher
    batcher.close()


def test_it_is_done_in_a_lane_and_awaited(batcher: Batcher) -> None:
    network: Any = Cold()
    batcher.warm_up(network)
    assert network.threads == ["lane-0"]


def test_a_fault_reaches_who_loads_and_nobody_else(batcher: Batcher) -> None:
    bad: Any = Cold(WeightsError("no numbers"))
    with pytest.raises(WeightsError, match="no numbers"):
        batcher.warm_up(bad)
    good: Any = Cold()
    batcher.warm_up(good)
    assert good.threads == ["lane-0"]
