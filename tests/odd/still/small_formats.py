"""Odd GIFs, WebPs and BMPs. GIFs and BMPs are written by hand (GIF89a; BITMAPINFOHEADER)."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.odd.still.jpegs import exif
from tests.odd.still.scene import HEIGHT, SCENE, WIDTH, OddPicture, Pixels, grey, rgb, stored

FAILED = "image_decode_failed"
# A palette of 64 colours, four levels a channel, and the scene in it.
_LEVELS = np.array([0, 85, 170, 255], np.uint8)
PALETTE = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij"), -1).reshape(-1, 3)
_COARSE = (SCENE >> 6).astype(np.int64)
INDICES = (_COARSE[..., 0] * 16 + _COARSE[..., 1] * 4 + _COARSE[..., 2]).astype(np.uint8)
SHOWN = PALETTE[INDICES]


def small_formats() -> Iterator[OddPicture]:
    """Give every odd GIF, WebP and BMP."""
    yield from gifs()
    yield from webps()
    yield from bmps()


def lzw(indices: NDArray[np.uint8], bits: int = 6) -> bytes:
    """Pack indices as GIF does, but without a dictionary: it is cleared before it grows."""
    clear, codes = 1 << bits, []
    for number, index in enumerate(indices.reshape(-1).tolist()):
        if number % (clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    table = np.array(codes, np.uint32)
    spread = (table[:, None] >> np.arange(bits + 1)) & 1
    packed = np.packbits(spread.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return bytes([bits]) + b"".join(bytes([len(one)]) + one for one in blocks) + b"\0"


def gif_frame(
    indices: NDArray[np.uint8],
    *,
    left: int = 0,
    top: int = 0,
    interlaced: bool = False,
    clear: int | None = None,
) -> bytes:
    """Give one frame; `clear` is the index that is transparent."""
    if interlaced:
        rows = [*range(0, len(indices), 8), *range(4, len(indices), 8)]
        rows += [*range(2, len(indices), 4), *range(1, len(indices), 2)]
        indices = indices[rows]
    control = b""
    if clear is not None:
        control = b"\x21\xf9\x04" + bytes([1, 10, 0, clear]) + b"\0"
    height, width = indices.shape
    place = struct.pack("<4HB", left, top, width, height, 0x40 * interlaced)
    return control + b"\x2c" + place + lzw(indices)


def gif(*frames: bytes, width: int = WIDTH, height: int = HEIGHT, version: bytes = b"89a") -> bytes:
    """Put frames on a screen with the palette; no trailer."""
    screen = struct.pack("<HHBBB", width, height, 0xF5, 0, 0)
    return b"GIF" + version + screen + PALETTE.tobytes() + b"".join(frames)


def gifs() -> Iterator[OddPicture]:
    """Give every odd GIF."""
    whole = gif_frame(INDICES)
    shown = (SHOWN,)
    data = gif(whole) + b";"
    yield OddPicture("plain.gif", data, shown)
    yield OddPicture("87a.gif", gif(whole, version=b"87a") + b";", shown)
    yield OddPicture("interlaced.gif", gif(gif_frame(INDICES, interlaced=True)) + b";", shown)
    for clear in (0, 20, 63):
        data = gif(gif_frame(INDICES, clear=clear)) + b";"
        yield OddPicture(f"transparent-{clear}.gif", data, shown)
    yield OddPicture("no-trailer.gif", gif(whole), shown)
    yield OddPicture("bytes-after.gif", gif(whole) + b";" + b"more" * 40, shown)
    other = gif_frame(63 - INDICES)
    yield OddPicture("two-frames.gif", gif(whole, other) + b";", shown)
    yield OddPicture("second-frame-cut.gif", gif(whole, other[:500]), shown, may_refuse=True)
    comment = b"\x21\xfe\x05hello\0"
    yield OddPicture("comment.gif", gif(comment, whole) + b";", shown)
    part = np.ascontiguousarray(INDICES[40:140, 60:260])
    mask = np.zeros(INDICES.shape, np.bool_)
    mask[40:140, 60:260] = True
    data = gif(gif_frame(part, left=60, top=40)) + b";"
    yield OddPicture("offset-frame.gif", data, shown, mask=mask)
    buffer = io.BytesIO()
    Image.fromarray(SCENE).quantize(256).save(buffer, "GIF")
    seen = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    yield OddPicture("by-pillow.gif", buffer.getvalue(), (seen,))
    empty_canvas = gif(whole, width=0, height=0) + b";"
    yield OddPicture("no-canvas.gif", empty_canvas, shown)
    yield OddPicture("canvas-smaller.gif", gif(whole, width=100, height=90) + b";", shown)
    beyond = gif(gif_frame(INDICES, left=10)) + b";"
    yield OddPicture("beyond-canvas.gif", beyond, shown, may_refuse=True)
    for bits in (0, 9, 12):
        at = whole.index(b"\x2c") + 10
        odd = gif(whole[:at] + bytes([bits]) + whole[at + 1 :]) + b";"
        yield OddPicture(f"code-bits-{bits}.gif", odd, error=FAILED)
    yield OddPicture("cut.gif", gif(whole)[: len(gif(whole)) // 2], error=FAILED)
    packed = gif(whole[: len(whole) // 2]) + b"\0;"
    yield OddPicture("cut-plus-end.gif", packed, error=FAILED)
    yield OddPicture("no-frame.gif", gif() + b";", error=FAILED)


def webp(pixels: Pixels, mode: str = "RGB", **options: Any) -> bytes:
    """Encode with Pillow's libwebp."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, None if pixels.shape[2] == 3 else mode).save(buffer, "WEBP", **options)
    return buffer.getvalue()


def webps() -> Iterator[OddPicture]:
    """Give every odd WebP."""
    lossless = webp(SCENE, lossless=True)
    yield OddPicture("lossless.webp", lossless, (SCENE,))
    for orientation in range(1, 9):
        data = webp(stored(SCENE, orientation), lossless=True, exif=exif(orientation))
        yield OddPicture(f"orientation-{orientation}.webp", data, (SCENE,))
    for quality in (20, 90):
        data = webp(SCENE, quality=quality)
        with Image.open(io.BytesIO(data)) as image:
            yield OddPicture(f"lossy-{quality}.webp", data, (np.asarray(image),), 2)
    half = np.dstack([SCENE, np.full((HEIGHT, WIDTH), 128, np.uint8)])
    data = webp(half, "RGBA", lossless=True, exact=True)
    yield OddPicture("rgba-lossless.webp", data, (SCENE,))
    clear = np.dstack([SCENE, np.zeros((HEIGHT, WIDTH), np.uint8)])
    data = webp(clear, "RGBA", lossless=True, exact=True)
    yield OddPicture("rgba-clear.webp", data, (SCENE,))
    data = webp(half, "RGBA", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        yield OddPicture("rgba-lossy.webp", data, (np.asarray(image)[..., :3],), 2)
    buffer = io.BytesIO()
    other = Image.fromarray(np.ascontiguousarray(255 - SCENE))
    Image.fromarray(SCENE).save(
        buffer, "WEBP", save_all=True, append_images=[other], lossless=True, duration=100
    )
    yield OddPicture("animated.webp", buffer.getvalue(), (SCENE,))
    yield OddPicture("bytes-after.webp", lossless + b"more" * 30, (SCENE,))
    icc = webp(SCENE, lossless=True, icc_profile=bytes(200))
    yield OddPicture("icc-nonsense.webp", icc, (SCENE,))
    yield from _chunked()
    yield OddPicture("cut.webp", lossless[: len(lossless) // 2], error=FAILED)
    short = bytearray(lossless[: len(lossless) // 2 & ~1])
    short[4:8] = struct.pack("<I", len(short) - 8)
    short[16:20] = struct.pack("<I", len(short) - 20)
    yield OddPicture("cut-and-relabelled.webp", bytes(short), error=FAILED)


def _chunked() -> Iterator[OddPicture]:
    """WebPs put together of chunks, and what damage makes of lossy ones."""
    plain, turned = (_picture_in(webp(each, lossless=True)) for each in (SCENE, stored(SCENE, 6)))
    said = exif(6).tobytes().removeprefix(b"Exif\0\0")
    unturned = (np.ascontiguousarray(stored(SCENE, 6)),)
    for name, flags, right in (("flagged", 8, (SCENE,)), ("unflagged", 0, unturned)):
        first = bytes([flags, 0, 0, 0]) + _less_one(HEIGHT) + _less_one(WIDTH)
        data = riff((b"VP8X", first), (b"VP8L", turned), (b"EXIF", said))
        yield OddPicture(f"exif-{name}.webp", data, right)
    yield OddPicture("exif-alone.webp", riff((b"VP8L", turned), (b"EXIF", said)), unturned)
    canvas = bytes(4) + _less_one(WIDTH + 12) + _less_one(HEIGHT + 8)
    data = riff((b"VP8X", canvas), (b"VP8L", plain))
    yield OddPicture("canvas-larger.webp", data, error=FAILED)
    lossy = _picture_in(webp(SCENE, quality=90))
    yield OddPicture("zeros-at-end.webp", riff((b"VP8 ", lossy[:-900] + bytes(900))), error=FAILED)
    yield OddPicture("cut-lossy.webp", riff((b"VP8 ", lossy[:-40])), error=FAILED)


def _picture_in(file: bytes) -> bytes:
    """Give what the first chunk holds."""
    return file[20 : 20 + struct.unpack_from("<I", file, 16)[0]]


def _less_one(side: int) -> bytes:
    return (side - 1).to_bytes(3, "little")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Put chunks into a WebP."""
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp(
    rows: bytes, bits: int, *, height: int = HEIGHT, compression: int = 0, table: bytes = b""
) -> bytes:
    """Put rows behind the headers; a negative height is top-down."""
    start = 54 + len(table)
    header = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    colors = 0 if compression in (3, 6) else len(table) // 4
    information = struct.pack(
        "<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(rows), 2835, 2835, colors, 0
    )
    return header + information + table + rows


def bmps() -> Iterator[OddPicture]:
    """Give every odd BMP."""
    blue_first = SCENE[..., ::-1]
    table = np.dstack([PALETTE[..., ::-1].reshape(1, -1, 3), np.zeros((1, 64), np.uint8)]).tobytes()
    up = np.ascontiguousarray(blue_first[::-1])
    yield OddPicture("24.bmp", bmp(up.tobytes(), 24), (SCENE,))
    yield OddPicture("24-top-down.bmp", bmp(blue_first.tobytes(), 24, height=-HEIGHT), (SCENE,))
    four = np.dstack([up, np.zeros((HEIGHT, WIDTH), np.uint8)])
    yield OddPicture("32.bmp", bmp(four.tobytes(), 32), (SCENE,))
    masks = struct.pack("<3I", 0xFF0000, 0xFF00, 0xFF)
    yield OddPicture(
        "32-bitfields.bmp", bmp(four.tobytes(), 32, compression=3, table=masks), (SCENE,)
    )
    five = (SCENE >> 3).astype("<u2")[::-1]
    words = five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2]
    coarse = (SCENE >> 3).astype(np.uint16)
    shown = (coarse * 255 // 31).astype(np.uint8)
    yield OddPicture("16-555.bmp", bmp(words.astype("<u2").tobytes(), 16), (shown.copy(),), 8)
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    six = five[..., 0] << 11 | ((SCENE >> 2).astype("<u2")[::-1])[..., 1] << 5 | five[..., 2]
    shown[..., 1] = (SCENE[..., 1] >> 2).astype(np.uint16) * 255 // 63
    data = bmp(six.astype("<u2").tobytes(), 16, compression=3, table=masks)
    yield OddPicture("16-565.bmp", data, (shown,), 8)
    yield OddPicture("8.bmp", bmp(INDICES[::-1].tobytes(), 8, table=table), (SHOWN,))
    runs = b"".join(_run_lengths(row) for row in INDICES[::-1]) + b"\0\1"
    yield OddPicture("8-run-lengths.bmp", bmp(runs, 8, compression=1, table=table), (SHOWN,))
    luma = grey(SCENE)
    for bits in (1, 4):
        levels = (luma >> (8 - bits))[::-1]
        values = np.arange(2**bits, dtype=np.uint16) * 255 // (2**bits - 1)
        ramp = np.dstack([values, values, values, values * 0]).astype(np.uint8).tobytes()
        spread = (levels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(spread.reshape(HEIGHT, -1).astype(np.uint8), axis=1).tobytes()
        shown = rgb(values[luma >> (8 - bits)])
        yield OddPicture(f"{bits}.bmp", bmp(rows, bits, table=ramp), (shown,))
    yield from _masked()
    small = struct.pack("<2sIHHI", b"BM", 26 + up.nbytes, 0, 0, 26)
    small += struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24) + up.tobytes()
    yield OddPicture("os2.bmp", small, (SCENE,))
    yield OddPicture("bytes-after.bmp", bmp(up.tobytes(), 24) + bytes(99), (SCENE,))
    inside = bytearray(bmp(up.tobytes(), 24))
    struct.pack_into("<I", inside, 10, 0)
    yield OddPicture("pixels-inside-header.bmp", bytes(inside), error=FAILED)
    yield OddPicture("cut.bmp", bmp(up.tobytes(), 24)[: up.nbytes // 2], error=FAILED)
    half = bmp(runs[: len(runs) // 2], 8, compression=1, table=table)
    yield OddPicture("run-lengths-cut.bmp", half, error=FAILED)


def _masked() -> Iterator[OddPicture]:
    """32 bits a pixel, in orders that only the masks tell."""
    for name, masks in {
        "red-first": (0xFF, 0xFF00, 0xFF0000), "high": (0xFF000000, 0xFF0000, 0xFF00),
        "10-bit": (0x3FF00000, 0xFFC00, 0x3FF), "mixed": (0xFF00, 0xFF, 0xFF0000),
    }.items():  # fmt: skip
        words = np.zeros((HEIGHT, WIDTH), np.uint32)
        for channel, mask in enumerate(masks):
            shift = (mask & -mask).bit_length() - 1
            most = mask >> shift
            words |= (SCENE[::-1, :, channel].astype(np.uint32) * most // 255) << shift
        table = struct.pack("<3I", *masks)
        rows = words.astype("<u4").tobytes()
        yield OddPicture(f"32-{name}.bmp", bmp(rows, 32, compression=3, table=table), (SCENE,), 1)
        alpha = bmp(rows, 32, compression=6, table=table + bytes(4))
        yield OddPicture(f"32-{name}-alpha.bmp", alpha, (SCENE,), 1, may_refuse=True)


def _run_lengths(row: NDArray[np.uint8]) -> bytes:
    """Pack a row as RLE8: pairs of a count and a value, then the end of the line."""
    edges = np.flatnonzero(np.diff(row)) + 1
    out = bytearray()
    for run in np.split(row, edges):
        count = len(run)
        while count:
            out += bytes([min(count, 255), int(run[0])])
            count -= min(count, 255)
    return bytes(out) + b"\0\0"
