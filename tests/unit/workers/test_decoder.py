"""Which chunks take turns at being decoded."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from jobs.manifests import Item
from jobs.segments import ItemError
from tests.integration.workers.fakes import FakeNetwork
from workers.engine.chunk import Content, ImageChunk
from workers.engine.decoder import decode
from workers.engine.flight import FlightRecord, read_suspects

TINY, LARGE = b"7", b"7".rjust(4096, b"0")
GONE = ItemError("input_missing", "Gone.")


@pytest.mark.parametrize(
    ("contents", "takes_turns"),
    [
        ([TINY, TINY, GONE], True),
        ([LARGE, LARGE, TINY], False),
        ([LARGE, TINY, TINY, TINY], True),
    ],
)
def test_only_tiny_pictures_take_turns(
    contents: list[Content], takes_turns: bool, tmp_path: Path
) -> None:
    inside: list[bool] = []

    @contextmanager
    def tiny() -> Iterator[None]:
        inside.append(True)
        yield

    flight = FlightRecord(tmp_path / "flight")
    chunk = _chunk(FakeNetwork(), len(contents))
    decode(chunk, contents, 10_000, flight, tiny())
    assert bool(inside) is takes_turns
    assert len(chunk.samples) + len(chunk.errors) == len(contents)


def test_the_record_names_the_item_that_is_being_decoded_and_then_none(tmp_path: Path) -> None:
    path = tmp_path / "flight"
    flight, seen = FlightRecord(path), []
    chunk = _chunk(FakeNetwork(on_prepare=lambda _: seen.append(read_suspects(path))), 3)
    decode(chunk, [TINY, GONE, TINY], 10_000, flight, nullcontext())
    assert seen == [[(5, 100, 1)], [(5, 102, 1)]]
    assert read_suspects(path) == []


def _chunk(network: FakeNetwork, count: int) -> ImageChunk:
    items = [Item(str(number), "raw") for number in range(count)]
    return ImageChunk(network, ("fake", ""), 5, 100, items)
