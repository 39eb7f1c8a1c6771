"""Pictures to hold a network against, where its owner gives none.

Three of different proportions, each with what goes wrong on the way to a network: soft blots of
colour, hard edges, stripes as fine as a pixel, and a part of its own at every border.
"""

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

# Width and height in pixels.
_SIZES: Final = {"wide": (640, 427), "high": (333, 500), "square": (256, 256)}


def built_in() -> Iterator[tuple[str, bytes]]:
    """Yield (name, PNG file); always the same bytes for one version of Pillow."""
    for seed, (name, size) in enumerate(_SIZES.items()):
        file = io.BytesIO()
        _drawn(size, seed).save(file, "PNG")
        yield f"{name}.png", file.getvalue()


def _drawn(size: tuple[int, int], seed: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    rough = generator.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    image = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
    draw, (width, height) = ImageDraw.Draw(image), size
    for _ in range(12):
        left, top = int(generator.integers(width)), int(generator.integers(height))
        side = int(generator.integers(10, min(size) // 3))
        colour = tuple(int(each) for each in generator.integers(0, 256, 3))
        draw.ellipse((left, top, left + side, top + side), fill=colour)
        draw.rectangle((top, left, top + side // 2, left + side), outline=colour, width=3)
    for x in range(width // 4, width // 2, 2):
        draw.line((x, height // 2, x, height // 2 + height // 8), fill=(0, 0, 0))
    return image
