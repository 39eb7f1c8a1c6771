"""Seeded damage to sound files, in the middle of their data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import imagecodecs
import numpy as np

from tests.odd.still.jpegs import SAMPLES, jpeg
from tests.odd.still.modern import avif
from tests.odd.still.pngs import png
from tests.odd.still.scene import SCENE
from tests.odd.still.small_formats import INDICES, bmp, gif, gif_frame, webp
from tests.odd.still.tiffs import by_pillow, by_tifffile

_BYTES = 64


@dataclass(frozen=True)
class Sound:
    """A sound file. `unknowable` says why damage may give other pixels that nobody can tell."""

    data: bytes
    unknowable: str = ""


_HUFFMAN = "other bits are other Huffman codes, and JPEG has no checksum"
_PLAIN = "samples stand as they are, without a checksum"
_CODED = "other bits are other codes, and the format has no checksum"


def sound_files() -> Mapping[str, Sound]:
    """Give one file a format, of the same scene."""
    packed = {name: by_tifffile(SCENE, photometric="rgb", compression=name)
              for name in ("lzw", "zlib", "packbits")}  # fmt: skip
    rows = np.ascontiguousarray(SCENE[::-1, :, ::-1]).tobytes()
    return {
        "JPEG": Sound(jpeg(), _HUFFMAN),
        "progressive JPEG": Sound(jpeg(progressive=True), _HUFFMAN),
        "PNG": Sound(png(SCENE, "rgb", piece=4096)),
        "interlaced PNG": Sound(png(SCENE, "rgb", interlaced=True)),
        "TIFF": Sound(by_tifffile(SCENE, photometric="rgb"), _PLAIN),
        "TIFF with LZW": Sound(packed["lzw"], _CODED),
        "TIFF with deflate": Sound(packed["zlib"]),
        "TIFF with packbits": Sound(packed["packbits"], _CODED),
        "TIFF with JPEG": Sound(by_pillow(SCENE, "RGB", compression="jpeg"), _HUFFMAN),
        "TIFF with fax codes": Sound(by_pillow(SCENE, "1", compression="group4"), _CODED),
        "GIF": Sound(gif(gif_frame(INDICES)) + b";", _CODED),
        "lossless WebP": Sound(webp(SCENE, lossless=True), _CODED),
        "lossy WebP": Sound(webp(SCENE, quality=90), _CODED),
        "BMP": Sound(bmp(rows, 24), _PLAIN),
        "AVIF": Sound(avif(SCENE), _CODED),
        "HEIC": Sound((SAMPLES / "scene.heic").read_bytes(), _CODED),
        "JPEG XL": Sound(imagecodecs.jpegxl_encode(SCENE, lossless=True), _CODED),
    }


def damaged(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Put random bytes over 64 of a file, `count` times, each time somewhere in its middle."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        at = int(len(data) * random.uniform(0.3, 0.7))
        noise = random.bytes(min(_BYTES, max(1, len(data) // 40)))
        yield data[:at] + noise + data[at + len(noise) :]
