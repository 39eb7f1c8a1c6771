"""AVIF, HEIC and JPEG XL. The HEICs in samples/ were made once, with libheif and x265."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from tests.odd.still.jpegs import SAMPLES, exif
from tests.odd.still.scene import SCENE, OddPicture, Pixels, grey, rgb, stored

FAILED = "image_decode_failed"
# What lossy coding with subsampled chroma may change of one value of the scene, at its edges; what
# the mean may be off is held besides (verdicts.py).
LOSSY_STEPS = 140


def modern() -> Iterator[OddPicture]:
    """Give every odd AVIF, HEIC and JPEG XL."""
    yield from _heics()
    yield from _avifs()
    yield from _jxls()


def _heics() -> Iterator[OddPicture]:
    for name in ("scene", "turned-3", "turned-5", "turned-6"):
        data = (SAMPLES / f"{name}.heic").read_bytes()
        yield OddPicture(f"{name}.heic", data, (SCENE,), LOSSY_STEPS)
    data = (SAMPLES / "odd-size.heic").read_bytes()
    small = np.ascontiguousarray(SCENE[:101, :147])
    yield OddPicture("odd-size.heic", data, (small,), LOSSY_STEPS)
    whole = (SAMPLES / "scene.heic").read_bytes()
    yield OddPicture("cut.heic", whole[: len(whole) // 2], error=FAILED)
    larger = (SAMPLES / "crop-larger.heic").read_bytes()
    yield OddPicture("crop-larger-than-picture.heic", larger, error=FAILED)
    yield OddPicture("brand-mif1.heic", whole[:8] + b"mif1" + whole[12:], (SCENE,), LOSSY_STEPS)


def avif(pixels: Pixels, mode: str | None = None, **options: Any) -> bytes:
    """Encode with Pillow's libavif."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "AVIF", quality=95, speed=8, **options)
    return buffer.getvalue()


def _avifs() -> Iterator[OddPicture]:
    for orientation in range(1, 9):
        data = avif(stored(SCENE, orientation), exif=exif(orientation))
        yield OddPicture(f"orientation-{orientation}.avif", data, (SCENE,), LOSSY_STEPS)
    full = avif(SCENE, subsampling="4:4:4")
    yield OddPicture("444.avif", full, (SCENE,), LOSSY_STEPS)
    half = np.dstack([SCENE, np.full(SCENE.shape[:2], 128, np.uint8)])
    yield OddPicture("rgba-half.avif", avif(half, "RGBA"), (SCENE,), LOSSY_STEPS)
    other = Image.fromarray(np.ascontiguousarray(255 - SCENE))
    moving = avif(SCENE, save_all=True, append_images=[other], duration=100)
    yield OddPicture("animated.avif", moving, (SCENE,), LOSSY_STEPS)
    yield OddPicture("cut.avif", full[: len(full) // 2], error=FAILED)
    deep = imagecodecs.avif_encode(SCENE.astype(np.uint16) << 2, 95, bitspersample=10, speed=8)
    yield OddPicture("10-bit.avif", deep, (SCENE,), LOSSY_STEPS)


_JXL = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _jxls() -> Iterator[OddPicture]:
    """A refusal that names JPEG XL is right too: not every house has a decoder for it."""
    container = imagecodecs.jpegxl_encode(SCENE, lossless=True, usecontainer=True)
    for name, data, steps in (
        ("lossless", imagecodecs.jpegxl_encode(SCENE, lossless=True), 0),
        ("container", container, 0),
        ("lossy", imagecodecs.jpegxl_encode(SCENE, distance=1.0), LOSSY_STEPS),
    ):
        yield OddPicture(f"{name}.jxl", data, (SCENE,), steps, says="jpeg xl", may_refuse=True)
    luma = grey(SCENE)
    data = imagecodecs.jpegxl_encode(luma, lossless=True)
    yield OddPicture("grey.jxl", data, (rgb(luma),), says="jpeg xl", may_refuse=True)
    for bits in (1, 2, 4, 10, 12, 14, 16):
        samples = SCENE.astype(np.uint16) << (bits - 8) if bits > 8 else SCENE >> (8 - bits)
        shown = (
            SCENE if bits > 8 else ((samples.astype(int) * 255) // (2**bits - 1)).astype(np.uint8)
        )
        data = imagecodecs.jpegxl_encode(samples, lossless=True, bitspersample=bits)
        yield OddPicture(f"{bits}-bit.jxl", data, (shown,), 1, says="jpeg xl", may_refuse=True)
    deep = imagecodecs.jpegxl_encode(SCENE.astype(np.uint16) << 2, distance=0.5, bitspersample=10)
    yield OddPicture("10-bit-lossy.jxl", deep, (SCENE,), LOSSY_STEPS)
    parts = enumerate((deep[:5], deep[5:9], deep[9:]))
    split = [
        _box(b"jxlp", struct.pack(">I", place | (place == 2) << 31) + part) for place, part in parts
    ]
    yield OddPicture("header-in-parts.jxl", _JXL + b"".join(split), (SCENE,), LOSSY_STEPS)
    yield OddPicture("cut.jxl", container[: len(container) // 2], error="")
