"""Which pictures are tiny, and what the flight record says while they are decoded."""

from pathlib import Path

import pytest

from jobs.manifests import Item
from jobs.segments import ItemError
from tests.integration.workers.fakes import FakeNetwork
from workers.engine.chunk import Content, ImageChunk
from workers.engine.decoder import are_tiny, decode
from workers.engine.flight import FlightRecord, read_suspects

TINY, LARGE = b"7", b"7".rjust(4096, b"0")
GONE = ItemError("input_missing", "Gone.")


@pytest.mark.parametrize(
    ("contents", "tiny"),
    [
        ([TINY, TINY, GONE], True),
        ([LARGE, LARGE, TINY], False),
        ([LARGE, TINY, TINY, TINY], True),
        ([GONE], True),
    ],
)
def test_pictures_are_tiny_or_not_by_the_mean_of_their_bytes(
    contents: list[Content], tiny: bool
) -> None:
    assert are_tiny(contents) is tiny


def test_the_record_names_the_item_that_is_being_decoded_and_then_none(tmp_path: Path) -> None:
    path = tmp_path / "flight"
    flight, seen = FlightRecord(path), []
    network = FakeNetwork(on_prepare=lambda _: seen.append(read_suspects(path)))
    items = [Item(str(number), "raw") for number in range(3)]
    chunk = ImageChunk(network, ("fake", ""), 5, 100, items)
    decode(chunk, [TINY, GONE, TINY], 10_000, flight)
    assert seen == [[(5, 100, 1)], [(5, 102, 1)]]
    assert read_suspects(path) == []
