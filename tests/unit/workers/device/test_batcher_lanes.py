"""Lanes: light networks are computed several batches at a time, heavy ones alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.records.bounds import HEAVY_S
from models.tasks.task import Sample
from tests.e2e.stacks import wait_for
from workers.engine.device.batcher import _ASIDE, Batcher
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.chunk import Chunk

MOST = 8
DEADLINE_S = 20.0
LIGHT, OTHER, HEAVY = ("light@1", "{}"), ("other@1", "{}"), ("heavy@1", "{}")
UNKNOWN = ("new@1", "{}")


# Gives what is computed once a lane has looked, and taken what it may.
Looks = Callable[[], list[tuple[str, str]]]


class Network:
    """Computes a batch until it is told that it may end."""

    def __init__(self, own_cores: int | None = None) -> None:
        self.record: Any = SimpleNamespace(name="held", max_batch=MOST)
        self.own_cores = own_cores
        self.begun: list[int] = []
        self._may_end = threading.Semaphore(0)

    def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
        self.begun.append(len(samples))
        if not self._may_end.acquire(timeout=DEADLINE_S):
            # Its halves, in which it is tried again, need not wait for the same.
            self._may_end.release(2 * MOST)
            raise AssertionError("nobody let this batch end")
        return torch.zeros(len(samples), 1)

    def has_begun(self, *sizes: int) -> None:
        """Wait until batches of these sizes have begun, and no others."""
        wait_for(lambda: len(self.begun) >= len(sizes), DEADLINE_S, f"batches of {sizes}")
        assert self.begun == list(sizes)

    def end_one(self) -> None:
        self._may_end.release()


@pytest.fixture
def new_batcher(tmp_path: Path) -> Iterator[Callable[..., Batcher]]:
    opened: list[Batcher] = []

    def make(
        wait_s: float = DEADLINE_S, begin_lane: Callable[[], object] = lambda: None
    ) -> Batcher:
        flight = FlightRecord(tmp_path / "flight")
        batcher = Batcher(wait_s, flight, cores=2, lanes=2, begin_lane=begin_lane)
        batcher._core_s |= {LIGHT: 0.0, OTHER: 0.0, HEAVY: HEAVY_S}
        opened.append(batcher)
        return batcher

    yield make
    for batcher in opened:
        batcher.close()


def put(batcher: Batcher, network: Any, size: int, key: tuple[str, str] = LIGHT) -> Chunk:
    """Queue a chunk that was announced."""
    chunk = Chunk(network, key, 1, 0, [])
    chunk.samples = [Sample(torch.zeros(1, 2, 2), 2, 2) for _ in range(size)]
    batcher.put(chunk)
    return chunk


def announce(batcher: Batcher, chunks: int) -> None:
    for _ in range(chunks):
        batcher.announce()


def looks(batcher: Batcher, monkeypatch: pytest.MonkeyPatch, key: tuple[str, str]) -> Looks:
    """Tell when a lane looks what it may compute while a chunk of a key waits."""
    looked, oldest_with_room = threading.Event(), batcher._oldest_with_room

    def look() -> Iterator[tuple[str, str]]:
        if key in batcher._waiting:
            looked.set()
        return oldest_with_room()

    monkeypatch.setattr(batcher, "_oldest_with_room", look)

    def computing() -> list[tuple[str, str]]:
        looked.clear()
        with batcher._changed:
            batcher._changed.notify()
        assert looked.wait(DEADLINE_S)
        # Who looked holds this until it has taken a batch, or waits.
        with batcher._changed:
            return list(batcher._computing)

    return computing


def test_two_full_batches_are_computed_at_a_time(new_batcher: Callable[..., Batcher]) -> None:
    batcher, network = new_batcher(), Network()
    announce(batcher, 3)
    chunks = [put(batcher, network, MOST) for _ in range(3)]
    network.has_begun(MOST, MOST)
    network.end_one()
    network.has_begun(MOST, MOST, MOST)
    network.end_one()
    network.end_one()
    for chunk in chunks:
        (piece,) = chunk.pieces.result(DEADLINE_S)
        assert piece.count == MOST


@pytest.mark.parametrize(("own_cores", "together"), [(1, 2), (2, 1)])
def test_what_has_one_core_of_its_own_shares_the_lanes_and_what_has_all_does_not(
    new_batcher: Callable[..., Batcher], own_cores: int, together: int
) -> None:
    batcher, network, key = new_batcher(), Network(own_cores), ("own@1", "{}")
    announce(batcher, 4)
    first = put(batcher, network, MOST, key)
    # Of its first batch nobody knows yet.
    network.has_begun(MOST)
    network.end_one()
    first.pieces.result(DEADLINE_S)
    chunks = [put(batcher, network, MOST, key) for _ in range(3)]
    network.has_begun(*[MOST] * (1 + together))
    for _ in chunks:
        network.end_one()
    for chunk in chunks:
        chunk.pieces.result(DEADLINE_S)


def test_while_a_lane_computes_a_batch_of_the_same_key_grows_until_it_is_full(
    new_batcher: Callable[..., Batcher],
) -> None:
    batcher, network = new_batcher(wait_s=0.0), Network()
    announce(batcher, 4)
    put(batcher, network, 3)
    network.has_begun(3)
    put(batcher, network, 3)
    put(batcher, network, MOST - 3)
    network.has_begun(3, MOST)
    batcher.withdraw()
    network.end_one()
    network.end_one()


def test_what_has_come_by_then_is_computed_when_the_lane_has_done_its_batch(
    new_batcher: Callable[..., Batcher],
) -> None:
    batcher, network = new_batcher(wait_s=0.0), Network()
    announce(batcher, 3)
    put(batcher, network, 3)
    network.has_begun(3)
    put(batcher, network, 2)
    network.end_one()
    # The third is still being decoded.
    network.has_begun(3, 2)
    batcher.withdraw()
    network.end_one()


def test_the_last_of_a_key_does_not_wait_for_a_lane(new_batcher: Callable[..., Batcher]) -> None:
    batcher, network = new_batcher(), Network()
    announce(batcher, 2)
    put(batcher, network, MOST)
    network.has_begun(MOST)
    put(batcher, network, 1)
    network.has_begun(MOST, 1)
    network.end_one()
    network.end_one()


def test_a_batch_begins_when_its_first_chunk_has_waited_long_enough(
    new_batcher: Callable[..., Batcher],
) -> None:
    batcher, network = new_batcher(wait_s=0.05), Network()
    announce(batcher, 2)
    put(batcher, network, 1)
    # Nothing else happens: the second is being decoded all the time.
    network.has_begun(1)
    batcher.withdraw()
    network.end_one()


def test_another_model_waits_neither_for_a_lane_nor_for_a_batch_that_grows(
    new_batcher: Callable[..., Batcher],
) -> None:
    batcher, network, other = new_batcher(wait_s=0.0), Network(), Network()
    announce(batcher, 4)
    put(batcher, network, 3)
    network.has_begun(3)
    put(batcher, network, 3)
    put(batcher, other, 2, OTHER)
    # A fourth is being decoded, and may be anybody's.
    other.has_begun(2)
    assert network.begun == [3]
    batcher.withdraw()
    other.end_one()
    network.end_one()
    network.end_one()


def test_who_came_after_a_heavy_network_waits_for_it(new_batcher: Callable[..., Batcher]) -> None:
    batcher, light, heavy = new_batcher(), Network(), Network()
    announce(batcher, 3)
    put(batcher, light, MOST)
    light.has_begun(MOST)
    put(batcher, heavy, MOST, HEAVY)
    last = put(batcher, light, MOST)
    light.end_one()
    heavy.has_begun(MOST)
    assert light.begun == [MOST]
    heavy.end_one()
    light.end_one()
    last.pieces.result(DEADLINE_S)


@pytest.mark.parametrize(
    ("first", "second"),
    [(HEAVY, LIGHT), (LIGHT, HEAVY), (HEAVY, HEAVY), (UNKNOWN, LIGHT), (LIGHT, UNKNOWN)],
)
def test_a_network_that_is_or_may_be_heavy_is_computed_alone(
    new_batcher: Callable[..., Batcher],
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, str],
    second: tuple[str, str],
) -> None:
    batcher, one, other = new_batcher(), Network(), Network()
    announce(batcher, 2)
    put(batcher, one, MOST, first)
    one.has_begun(MOST)
    computing = looks(batcher, monkeypatch, second)
    waiting = put(batcher, other, MOST, second)
    assert computing() == [first]
    one.end_one()
    other.has_begun(MOST)
    other.end_one()
    waiting.pieces.result(DEADLINE_S)


def test_networks_are_warmed_up_alone(
    new_batcher: Callable[..., Batcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher, network = new_batcher(), Network()
    computing = looks(batcher, monkeypatch, LIGHT)
    beside: list[list[tuple[str, str]]] = []
    cold: Any = SimpleNamespace(warm_up=lambda: beside.append(computing()))
    announce(batcher, 2)
    put(batcher, network, MOST)
    network.has_begun(MOST)
    loading = threading.Thread(target=batcher.warm_up, args=(cold,))
    loading.start()
    wait_for(lambda: batcher._aside, DEADLINE_S, "the new network")
    last = put(batcher, network, MOST)
    assert computing() == [LIGHT], "what comes later waits until the new one is warm"
    network.end_one()
    network.has_begun(MOST, MOST)
    network.end_one()
    last.pieces.result(DEADLINE_S)
    loading.join(DEADLINE_S)
    assert beside == [[_ASIDE]]


def test_where_a_lane_cannot_begin_there_is_no_batcher(new_batcher: Callable[..., Batcher]) -> None:
    def begin_lane() -> None:
        raise RuntimeError("no such device")

    with pytest.raises(RuntimeError, match="no such device"):
        new_batcher(begin_lane=begin_lane)


def test_a_fault_frees_its_lane(new_batcher: Callable[..., Batcher]) -> None:
    batcher, network = new_batcher(), Network()
    bad: Any = SimpleNamespace(record=network.record)  # nothing to run
    announce(batcher, 2)
    with pytest.raises(AttributeError):
        put(batcher, bad, MOST, HEAVY).pieces.result(DEADLINE_S)
    put(batcher, network, MOST, HEAVY)
    network.has_begun(MOST)
    network.end_one()


def test_chunks_that_were_told_to_stop_free_their_lane(new_batcher: Callable[..., Batcher]) -> None:
    batcher, network = new_batcher(), Network()
    stopped = Chunk(network, HEAVY, 1, 0, [])  # type: ignore[arg-type]  # the part that is used
    stopped.samples = [Sample(torch.zeros(1, 2, 2), 2, 2)]
    stopped.stopped.set()
    announce(batcher, 2)
    batcher.put(stopped)
    put(batcher, network, MOST, HEAVY)
    network.has_begun(MOST)
    network.end_one()
    assert stopped.pieces.cancelled()


def test_each_lane_begins_in_its_own_thread(new_batcher: Callable[..., Batcher]) -> None:
    own = threading.local()
    numbers, seen = iter(range(2)), list[int]()

    class Noting(Network):
        def forward(self, samples: Sequence[Sample]) -> torch.Tensor:
            seen.append(own.number)
            return super().forward(samples)

    def begin_lane() -> None:
        own.number = next(numbers)

    batcher, network = new_batcher(begin_lane=begin_lane), Noting()
    announce(batcher, 2)
    for _ in range(2):
        put(batcher, network, MOST)
    network.has_begun(MOST, MOST)
    network.end_one()
    network.end_one()
    assert sorted(seen) == [0, 1]
