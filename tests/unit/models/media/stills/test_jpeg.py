"""JPEG: what viewers pass over is passed over, what is missing is an error."""

import io
import re
import struct
import time

import numpy as np
import pytest
from PIL import Image

from models.media.pictures import decode
from models.records.errors import ImageDecodeFailed
from tests.unit.models.media.stills.scene import (
    LIMITS,
    SCENE,
    by_pillow,
    pixels_of,
    steps_off,
    written,
)

PLAIN = written("JPEG", quality=90)
PROGRESSIVE = written("JPEG", quality=90, progressive=True)
_FIRST = 20  # behind the start marker and JFIF's segment
_FRAME = PLAIN.index(b"\xff\xc0")


def scans_of(data):
    return [found.start() for found in re.finditer(rb"\xff\xda", data)]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_pillow(options, subsampling, mode):
    data = written("JPEG", mode, subsampling=subsampling, **options)
    assert steps_off(data, by_pillow(data)) == 0
    assert (pixels_of(data, 1)[:, :, 0] == by_pillow(data, "L")).mean() > 0.3


@pytest.mark.parametrize("progressive", [False, True])
def test_cmyk_is_mixed_as_pillow_does(progressive):
    data = written("JPEG", "CMYK", progressive=progressive)
    assert steps_off(data, by_pillow(data)) <= 1


@pytest.mark.parametrize(
    "between",
    [b"\0\0", b"junk", b"\xff" * 9, b"\xff\x01", b"\xff\xd3", b"\xff\x00\xff\x00"],
    ids=["zeros", "letters", "fill", "TEM", "RST", "stuffed"],
)
def test_what_lies_between_two_segments_is_passed_over(between):
    data = PLAIN[:_FIRST] + between + PLAIN[_FIRST:]
    assert (pixels_of(data) == pixels_of(PLAIN)).all()


def test_blanks_before_and_anything_behind_are_passed_over():
    data = b"\r\n \0" + PLAIN + b"\xff\xd8 maker notes"
    assert (pixels_of(data) == pixels_of(PLAIN)).all()


@pytest.mark.parametrize("padding", [4, 100])
def test_zeros_that_a_camera_writes_behind_the_last_scan_are_passed_over(padding):
    data = PLAIN[:-2] + bytes(padding) + PLAIN[-2:]
    assert (pixels_of(data) == pixels_of(PLAIN)).all()


HALF = len(PLAIN) // 2
CUT = {
    "then ended": PLAIN[:HALF] + b"\xff\xd9",
    "then another": PLAIN[:HALF] + PLAIN,
    "then zeros": PLAIN[:HALF] + bytes(len(PLAIN) - HALF - 2) + b"\xff\xd9",
    "zeros in the middle": PLAIN[:HALF] + bytes(200) + PLAIN[HALF + 200 :],
    "too much": PLAIN[:-2] + b"\x12\x34" * 20 + b"\xff\xd9",
    "progressive, half": PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9",
    "progressive, last scan missing": PROGRESSIVE[: scans_of(PROGRESSIVE)[-1]] + b"\xff\xd9",
    "progressive, most missing": PROGRESSIVE[: scans_of(PROGRESSIVE)[1]] + b"\xff\xd9",
}


@pytest.mark.parametrize("how", CUT)
def test_what_is_cut_is_an_error_whatever_stands_behind_the_cut(how):
    with pytest.raises(ImageDecodeFailed) as caught:
        pixels_of(CUT[how])
    assert str(caught.value).endswith(".")


def test_white_paper_of_zeros_is_no_hole():
    # Where tables are made for the picture, the code of zero bits may mean the end of a block.
    white = Image.new("L", (2000, 2000), 255)
    file = io.BytesIO()
    white.save(file, "JPEG", optimize=True)
    assert (pixels_of(file.getvalue()) == 255).all()


def test_a_second_frame_header_hidden_behind_a_marker_without_length_is_found():
    frame = bytearray(PLAIN[_FRAME : _FRAME + 19])
    frame[5:9] = struct.pack(">HH", 15000, 16000)
    with pytest.raises(ImageDecodeFailed, match="2 frame headers"):
        pixels_of(PLAIN[:2] + b"\xff\x01" + bytes(frame) + PLAIN[2:])


def test_45_000_empty_scans_are_refused_at_once():
    last = PROGRESSIVE[scans_of(PROGRESSIVE)[-1] :][:10]
    began = time.process_time()
    for count in (100, 45_000):
        with pytest.raises(ImageDecodeFailed, match=r"scans|segments"):
            pixels_of(PROGRESSIVE[:-2] + last * count + b"\xff\xd9")
    assert time.process_time() - began < 1


def test_a_scan_header_that_is_cut_is_an_error():
    with pytest.raises(ImageDecodeFailed):
        pixels_of(PLAIN[: scans_of(PLAIN)[0]] + b"\xff\xda\0\x03\x09\xff\xd9")


def test_what_libjpeg_does_not_read_to_8_bits_is_named():
    deep = bytearray(PLAIN)
    deep[_FRAME + 4] = 12
    with pytest.raises(ImageDecodeFailed, match="12 bits"):
        pixels_of(bytes(deep))
    with pytest.raises(ImageDecodeFailed, match="0 pixels"):
        pixels_of(PLAIN[: _FRAME + 5] + b"\0\0" + PLAIN[_FRAME + 7 :])


@pytest.mark.parametrize("least", [1, 16, 17, 30, 31, 60, 61, 500])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_scaled_down_no_further_than_allowed(least, channels):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(SCENE[:120, :200]).save(file, "JPEG", quality=95, exif=exif)
    data = file.getvalue()
    picture = decode(data, channels, LIMITS, least)
    assert (picture.width, picture.height) == (120, 200)
    height, width = picture.pixels.shape[:2]
    assert min(height, width) >= min(least, 120)
    assert min(height, width) < 2 * max(least, 16)
    whole = Image.fromarray(pixels_of(data))
    reduced = np.asarray(whole.resize((width, height), Image.Resampling.BOX))
    if channels == 3:
        assert np.abs(picture.pixels.astype(int) - reduced).mean() < 12
