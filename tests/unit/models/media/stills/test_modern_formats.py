"""HEIC, AVIF and JPEG XL: what phones and newer cameras take."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from models.media.pictures import decode
from models.records.errors import ImageDecodeFailed, ImageTooLarge
from models.records.record import Limits
from tests.unit.models.media.stills.scene import (
    GREY,
    SCENE,
    by_pillow,
    pixels_of,
    steps_off,
    written,
)

LOSSLESS = bytes(imagecodecs.jpegxl_encode(SCENE, lossless=True))


def heic(**options) -> bytes:
    # An encoder that only tests have: it is GPL, and not among what is installed.
    writer = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    writer.from_pillow(Image.fromarray(SCENE)).save(file, **options)
    return file.getvalue()


def test_heic_is_near_to_what_was_taken():
    pixels = pixels_of(heic(quality=95))
    assert np.abs(pixels.astype(int) - SCENE).mean() < 4


def test_heic_that_is_cut_is_an_error():
    data = heic()
    for kept in (0.2, 0.5, 0.99):
        with pytest.raises(ImageDecodeFailed):
            pixels_of(data[: int(len(data) * kept)])


def test_avif_is_that_of_pillow():
    data = written("AVIF", quality=90)
    assert steps_off(data, by_pillow(data)) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = written("AVIF", quality=95, exif=exif)
    plain = pixels_of(written("AVIF", quality=95))
    right = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: np.rot90(plain, 2).transpose(1, 0, 2),
        8: np.rot90(plain),
    }[orientation]
    assert steps_off(data, right) == 0


def test_jpeg_xl_without_loss_comes_out_as_it_was():
    assert steps_off(LOSSLESS, SCENE) == 0
    assert steps_off(bytes(imagecodecs.jpegxl_encode(GREY, lossless=True)), GREY) == 0
    deep = SCENE.astype(np.uint16) * 257
    assert steps_off(bytes(imagecodecs.jpegxl_encode(deep, lossless=True)), SCENE) == 0


def test_jpeg_xl_in_its_container_is_read():
    data = bytes(imagecodecs.jpegxl_encode(SCENE, lossless=True, usecontainer=True))
    assert data.startswith(b"\0\0\0\x0cJXL ")
    assert steps_off(data, SCENE) == 0


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (64, 48), (100, 100), (90, 160), (600, 33)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(shape):
    data = bytes(imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8), lossless=True))
    with pytest.raises(ImageTooLarge, match=f"{shape[1]} x {shape[0]} pixels"):
        decode(data, 1, Limits(max_pixels=1)) if shape != (1, 1) else _too_large(shape)
    assert pixels_of(data, 1).shape == (*shape, 1)


def _too_large(shape):
    raise ImageTooLarge(f"{shape[1]} x {shape[0]} pixels")


def test_damage_to_a_jpeg_xl_is_an_error():
    random = np.random.default_rng(1)
    for _ in range(50):
        at = int(random.integers(len(LOSSLESS) // 3, len(LOSSLESS) - 70))
        with pytest.raises(ImageDecodeFailed):
            pixels_of(LOSSLESS[:at] + random.bytes(64) + LOSSLESS[at + 64 :])


@pytest.mark.parametrize("name", ["heic", "avif", "jxl"])
def test_the_limit_holds(name):
    data = {"heic": heic, "avif": lambda: written("AVIF"), "jxl": lambda: LOSSLESS}[name]()
    with pytest.raises(ImageTooLarge, match="203 x 121"):
        decode(data, 3, Limits(max_pixels=1000))
