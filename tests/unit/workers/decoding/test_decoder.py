"""What a bad picture costs, and what a sample keeps."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from models.media.pictures import Picture
from models.preprocessing.letterbox import Placement
from models.records.record import Limits
from models.tasks.task import Sample
from tests.integration.workers.fakes import PLAIN_BYTES, FakeNetwork, PlainBytes
from workers.engine.decoding.decoder import decode
from workers.engine.reading.chunk import Content, ImageChunk
from workers.walls.pictures import Asked, Decoded, Packed

TINY = b"7"
GONE = ItemError("input_missing", "Gone.")


def test_what_cannot_be_read_decoded_or_prepared_costs_itself() -> None:
    def refuse(data: bytes) -> None:
        if data == b"5":
            raise ValueError("a bug of ours")

    network = FakeNetwork(on_prepare=refuse)
    contents: list[Content] = [TINY, GONE, b"no number", b"5", TINY]
    items = [Item(str(number), "raw") for number in range(len(contents))]
    chunk = ImageChunk(network, ("fake", ""), 5, 100, items)
    decode(chunk, contents, Asked(1, Limits()), PLAIN_BYTES)
    assert chunk.positions == [0, 4]
    assert len(chunk.samples) == 2
    codes = {position: error.code for position, error in chunk.errors.items()}
    assert codes == {1: "input_missing", 2: "image_decode_failed", 3: "internal_error"}
    assert [digest is None for digest in chunk.hashes] == [False, True, False, False, False]


@pytest.mark.parametrize("width", [4, 100_000])
def test_a_sample_keeps_no_pixel_of_memory_that_the_next_picture_is_written_to(width: int) -> None:
    shared, inside = np.zeros((1, width, 1), np.uint8), Placement(0, 0, 1, 3)

    class Recycled(PlainBytes):
        def decode(self, items: Sequence[Packed], asked: Asked, beat: Any) -> Iterator[Decoded]:
            for number in range(len(items)):
                shared[:] = number
                yield Decoded(number, None, Picture(shared, width, 1))

    class Unchanged(FakeNetwork):
        def sample(self, picture: Picture) -> Sample:
            return Sample(torch.from_numpy(picture.pixels), 1, width, inside)

    items = [Item(str(number), "raw") for number in range(3)]
    chunk = ImageChunk(Unchanged(), ("fake", ""), 5, 100, items)
    decode(chunk, [TINY] * 3, Asked(1, Limits()), Recycled())
    assert [int(sample.pixels[0, 0, 0]) for sample in chunk.samples] == [0, 1, 2]
    assert [sample.inside for sample in chunk.samples] == [inside] * 3
