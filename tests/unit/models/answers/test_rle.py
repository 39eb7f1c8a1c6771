"""Masks in COCO's code: the same characters as pycocotools, and back to the same mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.answers import rle

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


# Counts written by hand; their strings follow from maskApi.c: five bits a character, plus 48.
KNOWN = [
    (mask_of("..", ".."), [4], "4"),
    (mask_of("##", "##"), [0, 4], "04"),
    (mask_of(".#", "#."), [1, 2, 1], "121"),
    (mask_of("#.", ".."), [0, 1, 3], "013"),
    (mask_of("#..", "#.#"), [0, 2, 3, 1], "023O"),  # 1 - 2 = -1: bits 11111, sign and all
    (np.zeros((10, 10), bool), [100], "T3"),  # 100 = 3 * 32 + 4: "T" (4 + more), then 3
    (np.zeros((4, 4), bool), [16], "`0"),  # 16 alone would read as negative: one more character
]


@pytest.mark.parametrize(("mask", "counts", "text"), KNOWN)
def test_masks_are_written_as_the_known_characters(mask, counts, text):
    assert rle.encode(mask) == {"size": list(mask.shape), "counts": text}
    assert rle.from_string(text).tolist() == counts


def test_a_disc_with_a_hole_is_written_as_pycocotools_writes_it():
    # pycocotools' mask.encode of this very mask gave these characters.
    down, right = np.mgrid[0:60, 0:80]
    disc = (down - 25) ** 2 + (right - 40) ** 2 < 400
    hole = (down - 25) ** 2 + (right - 45) ** 2 < 64
    assert rle.encode(disc & ~hole) == {
        "size": [60, 80],
        "counts": "oW1=]14L4M2M4M2N2O0O2N2O0O2O0O2O000000YOB0>NF0:OH080H08OJ060J060J060J060J07OI080"
        "H090E0<0D0=0A0a01[O0f0c01N2N3L3N3L4LoT1",
    }


@given(MASKS)
def test_every_mask_comes_back_as_it_was(mask):
    assert (rle.decode(rle.encode(mask)) == mask).all()


@given(MASKS)
def test_runs_alternate_and_only_the_first_may_be_empty(mask):
    counts = rle.from_string(str(rle.encode(mask)["counts"]))
    assert (counts[1:] > 0).all()
    assert counts.sum() == mask.size


@given(MASKS, st.tuples(*[st.integers(0, 5)] * 4))
def test_a_part_is_written_as_the_whole_around_it(part, borders):
    top, bottom, left, right = borders
    whole = np.pad(part, ((top, bottom), (left, right)))
    assert rle.encode(part, whole.shape, (top, left)) == rle.encode(whole)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=20))
def test_long_runs_survive_too(counts):
    assert rle.from_string(rle.to_string(np.array(counts, np.int64))).tolist() == counts


@pytest.mark.parametrize("counts", ["3", "05", "5O", "R"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(ValueError, match=r"mask"):
        rle.decode({"size": [2, 2], "counts": counts})
