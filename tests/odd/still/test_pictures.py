"""Odd pictures become the pixels that their makers meant, or a clear error."""

import warnings

import numpy as np
import pytest

from models.media import pictures
from models.records.errors import InputError, UnsupportedMedia
from tests.odd.children import hashes_in_children
from tests.odd.damage import damaged, sound_files
from tests.odd.still.jpegs import SAMPLES
from tests.odd.still.pictures import FAMILIES, pictures_of
from tests.odd.still.verdicts import LIMITS, fault

DAMAGES = 100
SOUND = sound_files()


@pytest.fixture(autouse=True)
def _quiet_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("family", FAMILIES)
def test_every_odd_picture_gives_its_pixels_or_its_error(family):
    faults = [told for odd in pictures_of(family) if (told := fault(odd)) is not None]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_read_in_colour_is_read_in_grey(family):
    for odd in pictures_of(family):
        try:
            colour = pictures.decode(odd.data, 3, LIMITS).pixels
        except InputError:
            continue
        assert pictures.decode(odd.data, 1, LIMITS).pixels.shape == (*colour.shape[:2], 1), odd.name


def test_there_are_enough_of_them():
    assert sum(len(pictures_of(family)) for family in FAMILIES) >= 150


def test_what_memory_held_before_changes_no_pixel():
    first, second = hashes_in_children("pictures")
    assert len(first) > 2 * 150
    assert {name for name in first if first[name] != second.get(name)} == set()
    assert first.keys() == second.keys()


@pytest.mark.parametrize("kind", SOUND)
def test_damage_in_the_middle_is_an_error_or_changes_nothing(kind):
    sound = SOUND[kind]
    try:
        right = pictures.decode(sound.data, 3, LIMITS).pixels
    except UnsupportedMedia:
        pytest.skip(f"{kind} is refused here, sound or not")
    changed, black = [], []
    for number, data in enumerate(damaged(sound.data, DAMAGES, seed=1)):
        try:
            pixels = pictures.decode(data, 3, LIMITS).pixels
        except InputError:
            continue
        if pixels.shape != right.shape or not np.array_equal(pixels, right):
            changed.append(number)
            if _black(pixels) > _black(right) + 0.25:
                black.append(number)
    assert not black, f"damages {black} are answered with black"
    told = f"damages {changed} give other pixels without a word"
    assert len(changed) <= sound.unnoticed, told


@pytest.mark.parametrize("least", [None, 64, 96])
def test_a_picture_that_states_another_size_is_an_error_however_it_may_be_scaled(least):
    data = (SAMPLES / "crop-larger.heic").read_bytes()
    with pytest.raises(InputError, match="1000 x 800") as caught:
        pictures.decode(data, 3, LIMITS, least)
    assert caught.value.code == "image_decode_failed"


def _black(pixels):
    """Give the share of pixels that are all zero."""
    return float((pixels == 0).all(axis=2).mean())
