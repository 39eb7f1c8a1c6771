"""PNG: only what makes pixels reaches the decoder, and its checksums count."""

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models.records.errors import ImageDecodeFailed
from tests.unit.models.media.stills.scene import GREY, SCENE, pixels_of, steps_off, written

PLAIN = written("PNG")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(*chunks: bytes, data: bytes = PLAIN) -> bytes:
    return data[:33] + b"".join(chunks) + data[33:]


GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))
ALTERING = {
    "gAMA": [GAMMA],
    "sRGB": [chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45_455))],
    "cHRM": [GAMMA, chunk(b"cHRM", struct.pack(">8I", *[20_000] * 8))],
    "tRNS": [chunk(b"tRNS", struct.pack(">HHH", *SCENE[50, 50].tolist()))],
    "acTL": [chunk(b"acTL", struct.pack(">II", 9, 0))],
    "iCCP": [chunk(b"iCCP", b"bad\0\0" + zlib.compress(b"no profile"))],
}


@pytest.mark.parametrize("kind", ALTERING)
def test_chunks_that_only_describe_change_no_pixel(kind):
    data = with_chunks(*ALTERING[kind])
    assert (pixels_of(data) == SCENE).all()
    assert (pixels_of(data, 1) == pixels_of(PLAIN, 1)).all()
    assert np.abs(pixels_of(data, 1)[:, :, 0].astype(int) - GREY).max() <= 1


def test_a_thousand_packed_texts_cost_neither_time_nor_memory():
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(8_000_000)))
    data = with_chunks(*[text] * 1000)
    tracemalloc.start()
    began = time.process_time()
    assert (pixels_of(data) == SCENE).all()
    assert time.process_time() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def _profile(kind: str, orientation: int) -> PngImagePlugin.PngInfo:
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes()
    info = PngImagePlugin.PngInfo()
    digits = "\n".join(body.hex()[at : at + 72] for at in range(0, 2 * len(body), 72))
    info.add_text(f"Raw profile type {kind}", f"\n{kind}\n{len(body):8}\n{digits}\n", zip=True)
    return info


@pytest.mark.parametrize("kind", ["exif", "APP1"])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_the_orientation_of_older_imagemagick_is_applied(kind, place):
    data = written("PNG", pnginfo=_profile(kind, 6))
    text_at = data.index(b"zTXt") - 4
    (length,) = struct.unpack_from(">I", data, text_at)
    text = data[text_at : text_at + 12 + length]
    if place == "behind":
        data = data.replace(text, b"")
        data = data[:-12] + text + data[-12:]
    assert (pixels_of(data) == np.rot90(SCENE, -1)).all()


def test_a_text_that_is_no_profile_turns_nothing():
    for body in (b"", b"Raw profile type exif\0", b"Raw profile type exif\0\0xyz", b"a\0b"):
        for kind in (b"zTXt", b"tEXt", b"iTXt"):
            assert (pixels_of(with_chunks(chunk(kind, body))) == SCENE).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1"])
def test_a_hundred_changed_bytes_are_a_hundred_errors(mode):
    data = written("PNG", mode)
    random = np.random.default_rng(1)
    start, end = data.index(b"IDAT") + 4, len(data) - 16
    for _ in range(100):
        damaged = bytearray(data)
        damaged[random.integers(start, end)] ^= int(random.integers(1, 256))
        with pytest.raises(ImageDecodeFailed):
            pixels_of(bytes(damaged))


def _rebuilt(packed: bytes) -> bytes:
    return PLAIN[:33] + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_data_that_are_short_or_wrong_inside_right_checksums_are_an_error():
    start = PLAIN.index(b"IDAT")
    packed = PLAIN[start + 4 : start + 4 + struct.unpack_from(">I", PLAIN, start - 4)[0]]
    raw = zlib.decompress(packed)
    assert (pixels_of(_rebuilt(packed)) == SCENE).all()
    for wrong in (
        zlib.compress(raw[: len(raw) // 2]),
        zlib.compress(raw[:-1]),
        packed[:-4],
        packed[:-4] + b"\0\0\0\0",
        zlib.compress(b"\x09" + raw[1:]),
    ):
        with pytest.raises(ImageDecodeFailed):
            pixels_of(_rebuilt(wrong))


def test_colours_under_transparent_pixels_are_kept():
    rgba = np.dstack([SCENE, np.zeros_like(GREY)])
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "PNG")
    assert steps_off(file.getvalue(), SCENE) == 0
