"""Memory that a decoder claims to have filled is looked through."""

import pytest

from models.media.memory import check_written, unwritten
from models.records.errors import DecoderFault


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 3), (100, 333, 3), (2000, 3000, 3)])
def test_memory_that_was_written_passes(shape):
    pixels = unwritten(shape)
    pixels[:] = 7
    check_written(pixels, "a test")


@pytest.mark.parametrize("rows", [slice(0, 10), slice(50, 60), slice(90, 100)])
def test_rows_that_were_not_written_are_seen(rows):
    pixels = unwritten((100, 333, 3))
    pixels[: rows.start], pixels[rows.stop :] = 0, 0
    with pytest.raises(DecoderFault, match="had not written"):
        check_written(pixels, "a test")


def test_a_large_picture_of_which_a_hundredth_was_not_written_is_seen():
    pixels = unwritten((4000, 3000, 3))
    pixels[:-40] = 0
    with pytest.raises(DecoderFault):
        check_written(pixels, "a test")
