"""How the samples of one TIFF page lie: in strips or tiles, packed how, of how many bits.

What cannot be read right is refused by its name here, before anything is decoded.

Source: TIFF 6.0; Adobe's Photoshop TIFF technical notes (deflate, JPEG).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from models.media.stills.still import undecodable, unsupported
from models.media.stills.tiff.directory import Directory

_WIDTH, _HEIGHT, _BITS, _PACKING, _PHOTOMETRIC = 256, 257, 258, 259, 262
_FILL_ORDER, _STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES = 266, 273, 277, 278, 279
_PLANAR, _T4_OPTIONS, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT = 284, 292, 317, 322, 323
_TILE_OFFSETS, _TILE_BYTES, _SAMPLE_FORMAT = 324, 325, 339

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_GREYS = (WHITE_IS_ZERO, BLACK_IS_ZERO)
# Colours that make the picture; what a page has beyond them is alpha, and dropped.
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
JPEG_PACKING = 7
# What a page's colours are that does not say it, by its samples.
_USUAL, _UNNAMED = {1: BLACK_IS_ZERO, 3: RGB}, -1
# Ways of packing that know a predictor: LZW, deflate, LZMA and Zstandard; others leave it alone.
_PREDICTED = frozenset({5, 8, 32946, 34925, 34926, 50000})
# Grey and its alpha; a third sample is another colour, and which is which nobody says.
_MAX_GREY_SAMPLES = 2

_MAX_SAMPLES = 16
# Unpacked at a time: 110 megapixels of 16-bit RGBA in one strip.
_MAX_SEGMENT_BYTES = 2**30
# Tiles of 16 x 16 of 110 megapixels, and some; each takes its time, however small it is.
_MAX_SEGMENTS = 500_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes are in pixels. A pixel has `samples` of `bits` each, of which `colours` count."""

    width: int
    height: int
    photometric: int
    packing: int
    predictor: int
    bits: int
    samples: int
    colours: int
    is_planar: bool
    is_tiled: bool
    is_reversed: bool
    segment_width: int
    segment_height: int
    t4_options: int

    @property
    def samples_in_segment(self) -> int:
        """How many samples stand side by side in a segment."""
        return 1 if self.is_planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a segment, when unpacked."""
        return (self.segment_width * self.samples_in_segment * self.bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Segment:
    """A strip or tile: where its bytes are, and where its pixels belong. plane: None for all."""

    start: int
    end: int
    left: int
    top: int
    height: int
    plane: int | None


def layout_of(page: Directory) -> Layout:
    """Read how a page is laid out; raises ImageDecodeFailed."""
    width, height = page.first(_WIDTH), page.first(_HEIGHT)
    is_tiled = _TILE_WIDTH in page
    if is_tiled:
        segment = page.first(_TILE_WIDTH), page.first(_TILE_HEIGHT)
    else:
        segment = width, min(page.first(_ROWS_PER_STRIP, height), height)
    samples = page.first(_SAMPLES, 1)
    photometric = page.first(_PHOTOMETRIC, _USUAL.get(samples, _UNNAMED))
    packing = page.first(_PACKING, 1)
    return Layout(
        width,
        height,
        photometric,
        packing,
        page.first(_PREDICTOR, 1) if packing in _PREDICTED else 1,
        page.first(_BITS, 1),
        samples,
        _COLOURS.get(photometric, 0),
        page.first(_PLANAR, 1) == 2 and samples > 1,
        is_tiled,
        page.first(_FILL_ORDER, 1) == 2,
        *segment,
        page.first(_T4_OPTIONS),
    )


def check_layout(page: Directory, layout: Layout) -> None:
    """Refuse what is not read right, by its name; raises ImageDecodeFailed."""
    if layout.segment_width < 1 or layout.segment_height < 1:
        raise undecodable("TIFF", "its strips or tiles have no size")
    if layout.colours == 0:
        what = (
            "not named" if layout.photometric == _UNNAMED else f"of the kind {layout.photometric}"
        )
        raise unsupported("TIFF", f"its colours are {what}")
    if not layout.colours <= layout.samples <= _MAX_SAMPLES:
        raise unsupported("TIFF", f"its pixels have {layout.samples} samples")
    if layout.photometric in _GREYS and layout.samples > _MAX_GREY_SAMPLES:
        raise unsupported("TIFF", f"it has {layout.samples} bands, and none of them is named red")
    bits = page.numbers(_BITS, layout.samples) or (1,)
    if len(set(bits)) > 1 or not (1 <= bits[0] <= 16 or bits[0] == 32):
        raise unsupported("TIFF", f"its samples have {', '.join(map(str, bits))} bits")
    if any(form not in (1, 4) for form in page.numbers(_SAMPLE_FORMAT, layout.samples)):
        raise unsupported(
            "TIFF", "its samples are signed or floating-point numbers, whose range nobody states"
        )
    if layout.photometric == PALETTE and layout.bits > 8:
        raise unsupported("TIFF", f"its palette has {2**layout.bits:,} colours")
    if layout.photometric == YCBCR and layout.packing != JPEG_PACKING:
        raise unsupported("TIFF", "its colours are luma and chroma outside JPEG")
    if layout.predictor not in (1, 2) or (layout.predictor == 2 and layout.bits not in (8, 16, 32)):
        raise unsupported("TIFF", f"it has predictor {layout.predictor} at {layout.bits} bits")
    if layout.row_bytes * layout.segment_height > _MAX_SEGMENT_BYTES:
        raise unsupported("TIFF", "a single strip or tile of it has more than a gigabyte")


def segments_of(page: Directory, layout: Layout) -> Iterator[Segment]:
    """Yield all strips or tiles; raises ImageDecodeFailed where one is missing."""
    across = -(-layout.width // layout.segment_width)
    down = -(-layout.height // layout.segment_height)
    planes = layout.samples if layout.is_planar else 1
    count = across * down * planes
    tags = (_TILE_OFFSETS, _TILE_BYTES) if layout.is_tiled else (_STRIP_OFFSETS, _STRIP_BYTES)
    if count > min(_MAX_SEGMENTS, len(page.data)):
        raise undecodable("TIFF", f"it says that it has {count:,} strips or tiles")
    starts, sizes = (page.numbers(tag, count) for tag in tags)
    if not sizes and count == 1 and layout.packing == 1:
        sizes = (layout.row_bytes * layout.height,)
    if len(starts) < count or len(sizes) < count:
        raise undecodable("TIFF", "strips or tiles are missing")
    for number, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        plane, place = divmod(number, across * down)
        row, column = divmod(place, across)
        top = row * layout.segment_height
        # The last strip has what is left of rows, a tile always all of its own.
        height = layout.segment_height
        height = height if layout.is_tiled else min(height, layout.height - top)
        if start == 0 or size == 0 or start + size > len(page.data):
            raise undecodable("TIFF", f"strip or tile {number + 1} of {count} is not in the file")
        yield Segment(
            *(start, start + size, column * layout.segment_width, top, height),
            plane if layout.is_planar else None,
        )
