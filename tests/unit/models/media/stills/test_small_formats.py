"""WebP, GIF and BMP."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from models.records.errors import ImageDecodeFailed
from tests.unit.models.media.stills.scene import (
    GREY,
    SCENE,
    by_pillow,
    pixels_of,
    steps_off,
    written,
)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}])
def test_webp_is_that_of_pillow(options):
    data = written("WEBP", **options)
    assert steps_off(data, by_pillow(data)) == 0


def test_colours_under_transparent_pixels_of_webp_are_kept():
    rgba = np.dstack([SCENE, np.zeros_like(GREY)])
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "WEBP", lossless=True, exact=True)
    assert steps_off(file.getvalue(), SCENE) == 0


def test_a_profile_in_webp_changes_nothing():
    assert steps_off(written("WEBP", lossless=True, icc_profile=b"no profile"), SCENE) == 0


def test_of_an_animated_webp_the_first_frame_counts():
    others = [Image.fromarray(SCENE[::-1])]
    data = written("WEBP", lossless=True, save_all=True, append_images=others)
    assert steps_off(data, SCENE) == 0


def test_lossless_webp_that_has_data_left_over_is_an_error():
    data = written("WEBP", lossless=True)
    body = data[20:] + bytes(64)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    with pytest.raises(ImageDecodeFailed, match="before its data do"):
        pixels_of(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)


GIF = written("GIF")
SHOWN = by_pillow(GIF)


def test_gif_is_that_of_pillow_with_or_without_its_trailer():
    assert steps_off(GIF, SHOWN) == 0
    assert steps_off(GIF[:-1], SHOWN) == 0


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_gif_that_ends_inside_its_frame_is_an_error(kept):
    with pytest.raises(ImageDecodeFailed):
        pixels_of(GIF[: int(len(GIF) * kept)])


def test_transparent_pixels_of_gif_keep_the_colour_of_their_palette():
    palette = Image.fromarray(SCENE).quantize(64)
    file = io.BytesIO()
    palette.save(file, "GIF", transparency=int(np.asarray(palette)[60, 100]))
    assert steps_off(file.getvalue(), np.asarray(palette.convert("RGB"))) == 0


def test_a_gif_frame_smaller_than_its_canvas_lies_on_the_background_colour():
    data = bytearray(GIF)
    data[6:10] = struct.pack("<HH", 203 + 20, 121 + 10)
    frame = data.index(b",\0\0\0\0" + struct.pack("<HH", 203, 121))
    data[frame + 1 : frame + 5] = struct.pack("<HH", 15, 4)
    pixels = pixels_of(bytes(data))
    assert (pixels[4:125, 15:218] == SHOWN).all()
    background = data[13 + 3 * data[11] : 16 + 3 * data[11]]
    assert (pixels[:4] == np.frombuffer(bytes(background), np.uint8)).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA"])
def test_bmp_is_that_of_pillow(mode):
    data = written("BMP", mode)
    assert steps_off(data, by_pillow(data)) == 0


@pytest.mark.parametrize("masks", [(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
@pytest.mark.parametrize("turn", [1, -1])
def test_bmp_of_16_bits_is_that_of_pillow(masks, turn):
    green = 6 if masks[1] == 0x7E0 else 5
    red = SCENE[..., 0].astype(np.uint16) >> 3
    words = red << (5 + green) | SCENE[..., 1].astype(np.uint16) >> (8 - green) << 5
    words |= SCENE[..., 2].astype(np.uint16) >> 3
    words = np.pad(words, ((0, 0), (0, 1)))[::-turn]
    header = struct.pack("<IiiHHIIiiII", 40, 203, turn * 121, 1, 16, 3, words.nbytes, 0, 0, 0, 0)
    header += struct.pack("<III", *masks)
    data = b"BM" + struct.pack("<IHHI", 14 + len(header) + words.nbytes, 0, 0, 14 + len(header))
    data += header + words.astype("<u2").tobytes()
    assert steps_off(data, by_pillow(data)) <= 1
    with pytest.raises(ImageDecodeFailed, match="fewer bytes"):
        pixels_of(data[:-100])
