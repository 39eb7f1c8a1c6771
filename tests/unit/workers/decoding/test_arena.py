"""Memory that two sides share: what one lays down the other picks up, and nothing else."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from models.records.errors import DecoderFault
from workers.walls.arena import HEADER, Arena

MIB, PAGE = 2**20, 4096
SIZE = 4 * MIB
SHAPES = [(28, 28, 1), (1, 1, 3), (7, 3, 3), (200, 300, 3), (65, 1008, 1), (1, 1, 1), (256, 256, 1)]


@pytest.fixture
def sides() -> Iterator[tuple[Arena, Arena]]:
    worker = Arena.create("test", SIZE)
    decoder = Arena(worker.fd, SIZE)
    yield worker, decoder
    worker.close()


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_what_is_laid_down_end_to_end_is_picked_up_again_and_again(
    sides: tuple[Arena, Arena],
) -> None:
    worker, decoder = sides
    for turn in range(3):
        shapes = SHAPES[turn:] + SHAPES[:turn]
        end, places = HEADER, []
        for number, shape in enumerate(shapes):
            places.append(end)
            end = decoder.lay_down(end, noise(shape, number))
        for number, (place, shape) in enumerate(zip(places, shapes, strict=True)):
            assert (worker.pick_up(place, shape) == noise(shape, number)).all()


@pytest.mark.parametrize("size", [8, 100, 60_000])
def test_what_lay_there_before_is_never_picked_up_as_the_next(
    sides: tuple[Arena, Arena], size: int
) -> None:
    worker, decoder = sides
    second = decoder.lay_down(HEADER, noise((64, 1), 0))
    decoder.lay_down(second, noise((size, 1), 1))
    assert decoder.lay_down(HEADER, noise((64, 1), 2)) == second
    with pytest.raises(DecoderFault):
        worker.pick_up(second, (size, 1))


def test_a_picture_of_which_a_part_was_not_written_is_refused(sides: tuple[Arena, Arena]) -> None:
    worker, decoder = sides
    decoder.lay_down(HEADER, noise((64, 1), 0))
    for rows in (1_000, 100_000):
        with pytest.raises(DecoderFault):
            worker.pick_up(HEADER, (rows, 1))


def test_memory_ends_where_it_ends(sides: tuple[Arena, Arena]) -> None:
    worker, decoder = sides
    last = SIZE // HEADER * HEADER - 1024
    decoder.lay_down(last, noise((SIZE - last, 1), 3))
    assert (worker.pick_up(last, (SIZE - last, 1)) == noise((SIZE - last, 1), 3)).all()
    for offset, size in ((last, SIZE), (-1, 1), (SIZE, 1), (0, -1)):
        with pytest.raises(ValueError):
            worker.piece(offset, size)
        with pytest.raises(ValueError):
            worker.view(offset, (size,))
    with pytest.raises(ValueError):
        decoder.lay_down(last, noise((SIZE, 1), 4))


def test_what_a_large_item_took_is_given_back(sides: tuple[Arena, Arena]) -> None:
    ours, theirs = sides
    large = bytes(range(256)) * 12_000
    ours.write(HEADER, large)
    assert theirs.piece(HEADER, len(large)) == large, "as it was written"
    assert taken(ours) >= len(large)
    ours.give_back_beyond(MIB)
    assert taken(ours) <= MIB + PAGE
    assert theirs.piece(HEADER, MIB - HEADER) == large[: MIB - HEADER], "the first part stays"
    assert theirs.piece(2 * MIB, MIB) == bytes(MIB)


def taken(arena: Arena) -> int:
    return os.fstat(arena.fd).st_blocks * 512
