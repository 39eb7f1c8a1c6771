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
    """A sound file, and of how many damages in a hundred nobody can tell; docs/photos.md says so.

    Samples that stand as they are have no checksum; other bits of a code are other codes, which
    shows only where they do not end as they should.
    """

    data: bytes
    unnoticed: int = 0


_ALL = 100


def sound_files() -> Mapping[str, Sound]:
    """Give one file a format, of the same scene."""
    packed = {name: by_tifffile(SCENE, photometric="rgb", compression=name)
              for name in ("lzw", "zlib", "packbits")}  # fmt: skip
    rows = np.ascontiguousarray(SCENE[::-1, :, ::-1]).tobytes()
    return {
        "JPEG": Sound(jpeg(), 15),
        "progressive JPEG": Sound(jpeg(progressive=True), 15),
        "PNG": Sound(png(SCENE, "rgb", piece=4096)),
        "interlaced PNG": Sound(png(SCENE, "rgb", interlaced=True)),
        "TIFF": Sound(by_tifffile(SCENE, photometric="rgb"), _ALL),
        "TIFF with LZW": Sound(packed["lzw"], 1),
        "TIFF with deflate": Sound(packed["zlib"]),
        "TIFF with packbits": Sound(packed["packbits"], 60),
        "TIFF with JPEG": Sound(by_pillow(SCENE, "RGB", compression="jpeg"), 15),
        "TIFF with fax codes": Sound(by_pillow(SCENE, "1", compression="group4"), 1),
        "GIF": Sound(gif(gif_frame(INDICES)) + b";", 1),
        "lossless WebP": Sound(webp(SCENE, lossless=True), 1),
        "lossy WebP": Sound(webp(SCENE, quality=90), 5),
        "BMP": Sound(bmp(rows, 24), _ALL),
        "AVIF": Sound(avif(SCENE)),
        "HEIC": Sound((SAMPLES / "scene.heic").read_bytes(), _ALL),
        "JPEG XL": Sound(imagecodecs.jpegxl_encode(SCENE, lossless=True), 1),
    }


def damaged(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Put random bytes over 64 of a file, `count` times, each time somewhere in its middle."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        at = int(len(data) * random.uniform(0.3, 0.7))
        noise = random.bytes(min(_BYTES, max(1, len(data) // 40)))
        yield data[:at] + noise + data[at + len(noise) :]
