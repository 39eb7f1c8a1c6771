"""Pictures are resized and cut as torchvision's own functions do it."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from models.preprocessing import resampling
from models.preprocessing.resampling import Size, by_shorter_side, resize_and_crop

BILINEAR, BICUBIC = InterpolationMode.BILINEAR, InterpolationMode.BICUBIC
# In a picture of one pixel's width torch gives the first line for every other (2.15).
sides = st.integers(2, 700)


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def by_torchvision(pixels: np.ndarray, size: Size, crop: Size, **how: object) -> torch.Tensor:
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    return tv.center_crop(tv.resize(image, list(size), **how), list(crop))


@settings(deadline=None, max_examples=100)
@given(st.data(), st.sampled_from([1, 3]), st.sampled_from([BILINEAR, BICUBIC]))
def test_any_size_becomes_any_other(
    data: st.DataObject, channels: int, mode: InterpolationMode
) -> None:
    pixels = noise(data.draw(sides), data.draw(sides), channels)
    size = data.draw(sides), data.draw(sides)
    crop = data.draw(st.integers(1, size[0])), data.draw(st.integers(1, size[1]))
    found = resize_and_crop(pixels, size, crop, mode)
    expected = by_torchvision(pixels, size, crop, interpolation=mode, antialias=True)
    assert found.shape == expected.shape
    steps = (found.int() - expected.int()).abs()
    assert steps.max() <= 1
    assert (steps > 0).sum() <= max(5, 1e-4 * steps.numel())


@pytest.mark.parametrize("mode", [BILINEAR, BICUBIC])
@pytest.mark.parametrize("band", [1, 1000, 12_345])
def test_a_picture_in_bands_has_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, mode: InterpolationMode, band: int
) -> None:
    pixels = noise(201, 307, 3)
    whole = resize_and_crop(pixels, (40, 61), (37, 50), mode)
    monkeypatch.setattr(resampling, "_BAND_VALUES", band)
    assert torch.equal(resize_and_crop(pixels, (40, 61), (37, 50), mode), whole)


def test_a_large_picture_is_no_float_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, add_up = list[int](), resampling._Taps.add_up

    def noted(taps: Any, lines: np.ndarray) -> np.ndarray:
        seen.append(lines.nbytes)
        return add_up(taps, lines)

    monkeypatch.setattr(resampling._Taps, "add_up", noted)
    resize_and_crop(noise(3000, 2000, 3), (64, 64), (64, 64))
    assert max(seen) <= 4 * 2**20


def test_a_picture_of_one_pixels_width_is_resized_along_its_length() -> None:
    pixels = np.array([95, 130], np.uint8).reshape(2, 1, 1)
    assert resize_and_crop(pixels, (3, 1), (3, 1)).flatten().tolist() == [95, 112, 130]


@pytest.mark.parametrize("size", [(28, 28), (28, 41), (33, 28), (29, 28), (28, 31)])
@pytest.mark.parametrize("crop", [28, 27, 20])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_needs_no_resizing_is_cut_alone(size: Size, crop: int, channels: int) -> None:
    pixels = noise(*size, channels)
    expected = by_torchvision(pixels, size, (crop, crop))
    assert torch.equal(resize_and_crop(pixels, size, (crop, crop)), expected)


@pytest.mark.parametrize("mode", [BILINEAR, InterpolationMode.NEAREST])
def test_what_needs_no_filter_is_resized_by_torchvision(mode: InterpolationMode) -> None:
    pixels = noise(90, 120, 3)
    found = resize_and_crop(pixels, (50, 61), (40, 30), mode, antialias=False)
    expected = by_torchvision(pixels, (50, 61), (40, 30), interpolation=mode, antialias=False)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ((8193, 16), (96, 96)),
        ((60_000, 8), (512, 512)),
        ((1_000_000, 8), (96, 96)),
        ((8, 1_000_000), (96, 96)),
        ((8000, 16), (1, 2)),
    ],
)
def test_a_strip_is_resized_without_taps_which_would_be_too_many(given: Size, size: Size) -> None:
    pixels, before = noise(*given, 1), resampling._taps.cache_info().misses
    expected = by_torchvision(pixels, size, size, antialias=True)
    assert torch.equal(resize_and_crop(pixels, size, size), expected)
    assert resampling._taps.cache_info().misses == before


@pytest.mark.parametrize("size", [(8192, 300), (3000, 4000)])
def test_what_is_usual_is_resized_with_taps_of_some_megabytes(size: Size) -> None:
    wanted = by_shorter_side(*size, 256)
    before = resampling._taps.cache_info().misses
    resize_and_crop(noise(*size, 3), wanted, (224, 224), BICUBIC)
    assert resampling._taps.cache_info().misses > before


@pytest.mark.parametrize(
    ("size", "crop"), [((41, 20), (20, 20)), ((20, 41), (20, 20)), ((2000, 30), (30, 30))]
)
def test_a_part_as_wide_as_its_picture_does_not_keep_it_in_memory(size: Size, crop: Size) -> None:
    pixels = noise(*size, 3)
    assert not np.shares_memory(resize_and_crop(pixels, size, crop).numpy(), pixels)


@pytest.mark.parametrize("size", [(60, 80), (30, 40), (120, 160)])
@pytest.mark.parametrize("antialias", [True, False])
def test_a_sample_keeps_nothing_but_itself_in_memory(size: Size, antialias: bool) -> None:
    found = resize_and_crop(noise(60, 80, 3), size, (20, 20), antialias=antialias)
    assert found.permute(1, 2, 0).is_contiguous()
    assert found.untyped_storage().nbytes() == found.nbytes == 20 * 20 * 3
