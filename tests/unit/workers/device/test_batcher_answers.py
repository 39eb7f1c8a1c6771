"""Who waits for an answer hears that batches before it come to their end."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from models.records.bounds import HEAVY_S
from tests.unit.workers.device.test_batcher_lanes import (
    DEADLINE_S,
    HEAVY,
    LIGHT,
    Network,
    announce,
    put,
)
from workers.engine.device import batcher as batchers
from workers.engine.device.batcher import Batcher
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.chunk import Chunk


@pytest.fixture
def batcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batcher:
    monkeypatch.setattr(batchers, "_LOOK_S", 0.01)
    made = Batcher(0.0, FlightRecord(tmp_path / "flight"), cores=2)
    made._core_s |= {LIGHT: HEAVY_S, HEAVY: HEAVY_S}
    yield made
    made.close()


def test_a_chunk_that_waits_its_turn_behind_others_moves(batcher: Batcher) -> None:
    network, moved = Network(), threading.Event()
    announce(batcher, 3)
    put(batcher, network, 1, LIGHT)
    network.has_begun(1)
    put(batcher, network, 2, ("another@1", "{}"))
    chunk = put(batcher, network, 3, HEAVY)
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(batcher.answer, chunk, moved.set)
        assert not moved.wait(0.2), "nothing came to its end"
        network.end_one()
        assert moved.wait(DEADLINE_S)
        network.end_one()
        network.end_one()
        (piece,) = answer.result(DEADLINE_S)
        assert piece.count == 3


def test_what_was_not_run_and_what_went_wrong_is_raised(batcher: Batcher) -> None:
    dropped, broken = Chunk(Network(), LIGHT, 1, 0, []), Chunk(Network(), LIGHT, 1, 0, [])
    dropped.pieces.cancel()
    broken.pieces.set_exception(TimeoutError("the network's own"))
    with pytest.raises(CancelledError):
        batcher.answer(dropped, lambda: None)
    with pytest.raises(TimeoutError, match="own"):
        batcher.answer(broken, lambda: None)
