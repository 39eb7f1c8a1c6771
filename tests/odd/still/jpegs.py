"""Odd JPEGs: every sampling, marker and way of being broken that is met with in the wild."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from models.media.opencv import cv2
from tests.odd.still.scene import SCENE, OddPicture, Pixels, grey, stored

SAMPLES = Path(__file__).parents[1] / "samples"

# Decoders of the same coefficients differ by so much: in their cosine transform and rounding.
STEPS = 2
# And so much at the edges of colours, where they spread subsampled chroma each in its own way.
SUBSAMPLED_STEPS = 60

_SAMPLINGS = {"444": 0x111111, "422": 0x211111, "420": 0x221111, "440": 0x121111, "411": 0x411111}


def jpeg(pixels: Pixels = SCENE, mode: str = "RGB", **options: Any) -> bytes:
    """Encode with Pillow at quality 92 and full chroma, unless the options say otherwise."""
    buffer = io.BytesIO()
    options = {"quality": 92, "subsampling": 0, **options}
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def seen_by_pillow(data: bytes) -> Pixels:
    """Decode with Pillow's libjpeg-turbo, RGB (h, w, 3), as it is stored."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def exif(orientation: int, **more: Any) -> Image.Exif:
    """Give an EXIF block with an orientation."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def jpegs() -> Iterator[OddPicture]:
    """Give every odd JPEG."""
    yield from _turned()
    yield from _sampled()
    yield from _coded()
    yield from _coloured()
    yield from _between_segments()
    yield from _broken()


def _as_pillow(name: str, data: bytes, steps: int = STEPS, **more: Any) -> OddPicture:
    return OddPicture(name, data, (seen_by_pillow(data),), steps, **more)


def _turned() -> Iterator[OddPicture]:
    for orientation in range(1, 9):
        data = jpeg(stored(SCENE, orientation), exif=exif(orientation))
        # Turned back by numbers: what Pillow sees is turned as what is stored was.
        seen = seen_by_pillow(data)
        back = {6: 8, 8: 6}.get(orientation, orientation)
        yield OddPicture(f"orientation-{orientation}.jpg", data, (stored(seen, back),), STEPS)
    big_endian = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = jpeg(stored(SCENE, 6), exif=big_endian)
    yield OddPicture("exif-mm.jpg", data, (stored(seen_by_pillow(data), 8),), STEPS)
    for name, block in {
        "exif-orientation-0.jpg": exif(0).tobytes(),
        "exif-orientation-9.jpg": exif(9).tobytes(),
        "exif-cut.jpg": big_endian[:20],
        "exif-far-offset.jpg": big_endian[:10] + b"\xff\xff\xff\xf0" + big_endian[14:],
        "exif-empty.jpg": b"Exif\0\0",
    }.items():
        yield _as_pillow(name, jpeg(exif=block))


def _sampled() -> Iterator[OddPicture]:
    for name, factor in _SAMPLINGS.items():
        for suffix, progressive in (("", 0), ("-progressive", 1)):
            options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_QUALITY, 92]
            options += [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
            data = bytes(cv2.imencode(".jpg", SCENE[..., ::-1], options)[1])
            steps = STEPS if name == "444" else SUBSAMPLED_STEPS
            yield _as_pillow(f"sampled-{name}{suffix}.jpg", data, steps)
    for width, height in ((1, 1), (7, 5), (17, 33), (285, 191)):
        small = np.ascontiguousarray(SCENE[60 : 60 + height, :width]) if height < 100 else SCENE
        small = small[:height, :width]
        data = jpeg(small, subsampling=2)
        yield _as_pillow(f"size-{width}x{height}.jpg", data, SUBSAMPLED_STEPS)


def _coded() -> Iterator[OddPicture]:
    yield _as_pillow("progressive.jpg", jpeg(progressive=True))
    yield _as_pillow("optimized.jpg", jpeg(optimize=True))
    yield _as_pillow("quality-1.jpg", jpeg(quality=1))
    yield _as_pillow("quality-100.jpg", jpeg(quality=100))
    for blocks in (1, 7):
        yield _as_pillow(f"restart-{blocks}-blocks.jpg", jpeg(restart_marker_blocks=blocks))
    yield _as_pillow("restart-1-row.jpg", jpeg(restart_marker_rows=1))
    yield _as_pillow("restart-progressive.jpg", jpeg(restart_marker_rows=2, progressive=True))
    for name in ("arithmetic.jpg", "arithmetic-progressive.jpg"):
        data = (SAMPLES / name).read_bytes()
        yield _as_pillow(name, data, SUBSAMPLED_STEPS, may_refuse=True)
    deep = SCENE.astype(np.uint16) << 4
    twelve = imagecodecs.jpeg8_encode(deep, 95, bitspersample=12, subsampling="444")
    yield OddPicture("12-bit.jpg", twelve, (SCENE,), 25, may_refuse=True)
    lossless = imagecodecs.jpeg8_encode(SCENE, lossless=True, predictor=1)
    yield OddPicture("lossless.jpg", lossless, (SCENE,), may_refuse=True)
    ljpeg = imagecodecs.ljpeg_encode(grey(SCENE), bitspersample=8)
    yield OddPicture(
        "lossless-grey.jpg", ljpeg, (np.repeat(grey(SCENE)[..., None], 3, 2),), may_refuse=True
    )


def _coloured() -> Iterator[OddPicture]:
    yield _as_pillow("grey.jpg", jpeg(mode="L"))
    yield _as_pillow("rgb-adobe.jpg", jpeg(keep_rgb=True))
    inks = 255 - SCENE
    four = np.dstack([inks, np.zeros(SCENE.shape[:2], np.uint8)])
    buffer = io.BytesIO()
    Image.frombytes("CMYK", (288, 192), four.tobytes()).save(
        buffer, "JPEG", quality=95, subsampling=0
    )
    yield _as_pillow("cmyk-adobe.jpg", buffer.getvalue(), 6)
    inverted = np.ascontiguousarray(255 - four)
    ycck = imagecodecs.jpeg8_encode(
        inverted, 95, colorspace="CMYK", outcolorspace="YCCK", subsampling="444"
    )
    yield OddPicture("ycck-adobe.jpg", ycck, (seen_by_pillow(ycck),), 6)
    bare = without_application_segments(buffer.getvalue())
    yield OddPicture("cmyk-unmarked.jpg", bare, (seen_by_pillow(bare),), 6)
    yield OddPicture(
        "uncommon-sampling.jpg", (SAMPLES / "sampled-3x1.jpg").read_bytes(),
        error="image_decode_failed", says="not supported",
    )  # fmt: skip
    profile = b"ICC_PROFILE\0\x01\x01" + bytes(128)
    yield _as_pillow("icc-nonsense.jpg", with_segment(jpeg(), 0xE2, profile))


def without_application_segments(data: bytes) -> bytes:
    """Leave out every APPn of a JPEG."""
    for marker in range(0xE0, 0xF0):
        data = _without(data, bytes((0xFF, marker)))
    return data


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """Put a segment behind the start of a JPEG."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return data[:2] + segment + data[2:]


def _between_segments() -> Iterator[OddPicture]:
    data = jpeg()
    tables = data.index(b"\xff\xdb")
    seen = (seen_by_pillow(data),)

    def same(name: str, odd: bytes, **more: Any) -> OddPicture:
        return OddPicture(name, odd, seen, STEPS, **more)

    yield same("junk-2-zeros.jpg", data[:tables] + b"\0\0" + data[tables:])
    yield same("junk-9-bytes.jpg", data[:tables] + b"maker\0\1\2\3" + data[tables:])
    yield same("fill-bytes.jpg", data[:tables] + b"\xff" * 40 + data[tables:])
    yield same("blanks-before.jpg", b" \r\n" + data)
    yield same("zeros-before.jpg", b"\0\0\0\0" + data, may_refuse=True)
    yield same("bytes-after.jpg", data + b"maker notes" * 50)
    yield same("zeros-after.jpg", data + bytes(5000))
    yield same("two-joined.jpg", data + jpeg(np.ascontiguousarray(SCENE[::-1])))
    yield same("end-marker-twice.jpg", data + b"\xff\xd9")
    yield same("comment.jpg", with_segment(data, 0xFE, b"a comment" * 100))
    yield same("empty-comment.jpg", with_segment(data, 0xFE, b""))
    thumbnail = jpeg(np.ascontiguousarray(255 - SCENE[::4, ::4]))
    yield same("thumbnail.jpg", with_segment(data, 0xE1, b"Exif\0\0" + thumbnail))
    yield same("jfxx-thumbnail.jpg", with_segment(data, 0xE0, b"JFXX\0\x10" + thumbnail))
    many = data
    for number in range(60):
        many = with_segment(many, 0xE2, b"MPF-like %d" % number + bytes(500))
    yield same("sixty-segments.jpg", many)
    buffer = io.BytesIO()
    second = Image.fromarray(np.ascontiguousarray(255 - SCENE))
    Image.fromarray(SCENE).save(
        buffer, "MPO", save_all=True, append_images=[second], quality=92, subsampling=0
    )
    yield _as_pillow("two.mpo", buffer.getvalue())
    marker_ff01 = data[:tables] + b"\xff\x01" + data[tables:]
    yield same("tem-marker.jpg", marker_ff01, may_refuse=True)


def _broken() -> Iterator[OddPicture]:
    failed = "image_decode_failed"
    for name, data in {"": jpeg(), "-420": jpeg(subsampling=2), "-restart": _restarts()}.items():
        scan = data.index(b"\xff\xda") + 14
        middle = scan + (len(data) - scan) // 2
        yield OddPicture(f"cut{name}.jpg", data[:middle], error=failed)
        yield OddPicture(f"cut-plus-end{name}.jpg", data[:middle] + b"\xff\xd9", error=failed)
        zeros = data[:middle] + bytes(600) + data[middle + 600 :]
        yield OddPicture(f"zeros-in-the-middle{name}.jpg", zeros, error=failed)
        second = data[:middle] + jpeg()
        yield OddPicture(f"cut-plus-second{name}.jpg", second, error=failed)
    data = jpeg(progressive=True)
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    for kept in (1, 3, len(scans) - 1):
        cut = data[: scans[kept]] + b"\xff\xd9"
        yield OddPicture(f"progressive-{kept}-scans.jpg", cut, error=failed)
    half = scans[-1] + (len(data) - scans[-1]) // 2
    yield OddPicture("progressive-cut.jpg", data[:half] + b"\xff\xd9", error=failed)
    yield OddPicture("no-scan.jpg", data[: scans[0]] + b"\xff\xd9", error=failed)
    yield OddPicture("marker-only.jpg", b"\xff\xd8\xff\xd9", error=failed)
    plain = jpeg()
    huffman = plain.index(b"\xff\xc4")
    length = struct.unpack_from(">H", plain, huffman + 2)[0] + 2
    yield OddPicture("no-quantization.jpg", _without(plain, b"\xff\xdb"), error=failed)
    yield OddPicture(
        "bad-huffman.jpg",
        plain[: huffman + 5] + b"\xff" * 16 + plain[huffman + 21 :],
        error=failed,
    )
    assert length > 21


def _restarts() -> bytes:
    return jpeg(restart_marker_rows=1)


def _without(data: bytes, marker: bytes) -> bytes:
    """Leave out every segment of a kind before the scan."""
    scan = data.index(b"\xff\xda")
    while (at := data.find(marker, 0, scan)) >= 0:
        (length,) = struct.unpack_from(">H", data, at + 2)
        data = data[:at] + data[at + 2 + length :]
        scan = data.index(b"\xff\xda")
    return data
