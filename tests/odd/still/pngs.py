"""Odd PNGs, written by hand from their chunks: W3C Portable Network Graphics (Third Edition)."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.odd.still.jpegs import exif
from tests.odd.still.scene import SCENE, OddPicture, grey, rgb, stored

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {"grey": 0, "rgb": 2, "palette": 3, "grey-alpha": 4, "rgba": 6}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row, then steps, of the seven passes of Adam7.
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """Give a chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    samples: NDArray[np.unsignedinteger[Any]],
    color: str,
    bits: int = 8,
    *,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
    filters: int = 0,
    piece: int | None = None,
) -> bytes:
    """Encode samples (h, w, channels), each below 2**bits.

    `before` and `after` are chunks that stand before and after the data, which is cut in pieces.
    """
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, _COLOURS[color], 0, 0, int(interlaced))
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(
        _rows(samples[top::down, left::across], bits, filters) for left, top, across, down in passes
    )
    packed = zlib.compress(rows, 6)
    step = piece or len(packed)
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    return SIGNATURE + chunk(b"IHDR", header) + before + data + after + chunk(b"IEND")


def _rows(samples: NDArray[Any], bits: int, filters: int) -> bytes:
    height, width = samples.shape[:2]
    if height == 0 or width == 0:
        return b""
    flat = samples.reshape(height, -1)
    if bits == 16:
        packed = flat.astype(">u2").view(np.uint8).reshape(height, -1)
    elif bits == 8:
        packed = flat.astype(np.uint8)
    else:
        spread = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        packed = np.packbits(spread.reshape(height, -1).astype(np.uint8), axis=1)
    if filters == 2:  # "up": each byte less the one above it
        packed = np.vstack([packed[:1], np.diff(packed.astype(np.int16), axis=0)]).astype(np.uint8)
    return b"".join(bytes([filters]) + row.tobytes() for row in packed)


def pngs() -> Iterator[OddPicture]:
    """Give every odd PNG."""
    yield from _depths()
    yield from _alphas()
    yield from _turned()
    yield from _ancillary()
    yield from _shaped()
    yield from _broken()


def _depths() -> Iterator[OddPicture]:
    luma = grey(SCENE)
    for bits in (1, 2, 4, 8):
        coarse = luma >> (8 - bits)
        shown = rgb(coarse.astype(np.uint16) * 255 // (2**bits - 1))
        for interlaced in (False, True):
            data = png(coarse[..., None], "grey", bits, interlaced=interlaced)
            name = f"grey-{bits}{'-interlaced' * interlaced}.png"
            yield OddPicture(name, data, (shown,), 1)
    sixteen = SCENE.astype(np.uint16) * 257
    for name, samples, expected in (
        ("grey", luma[..., None].astype(np.uint16) * 257, rgb(luma)),
        ("rgb", sixteen, SCENE),
        ("rgb", sixteen - (sixteen > 300) * np.uint16(100), None),
    ):
        shown = SCENE if expected is None else expected
        low = "-low-bytes" if expected is None else ""
        yield OddPicture(f"{name}-16{low}.png", png(samples, name, 16), (shown,), 1)
    yield OddPicture("rgb-16-interlaced.png", png(sixteen, "rgb", 16, interlaced=True), (SCENE,), 1)
    for bits in (1, 2, 4, 8):
        indices = (luma >> (8 - min(bits, 6)))[..., None]
        colors = np.random.default_rng(bits).integers(0, 256, (64, 3), np.uint8)[: 2**bits]
        palette = chunk(b"PLTE", colors.tobytes())
        shown = colors[indices[..., 0]]
        yield OddPicture(
            f"palette-{bits}.png", png(indices, "palette", bits, before=palette), (shown,)
        )
        clear = palette + chunk(b"tRNS", b"\0\x80")
        yield OddPicture(
            f"palette-{bits}-trns.png", png(indices, "palette", bits, before=clear), (shown,)
        )


def _alphas() -> Iterator[OddPicture]:
    luma, half = grey(SCENE), np.full((*SCENE.shape[:2], 1), 128, np.uint8)
    ramp = (np.arange(SCENE.shape[1]) * 255 // SCENE.shape[1]).astype(np.uint8)
    ramp = np.broadcast_to(ramp[None, :, None], half.shape)
    for name, alpha in (("half", half), ("zero", half * 0), ("ramp", ramp)):
        rgba = np.concatenate([SCENE, alpha], axis=2)
        yield OddPicture(f"rgba-{name}.png", png(rgba, "rgba"), (SCENE,))
        pair = np.concatenate([luma[..., None], alpha], axis=2)
        yield OddPicture(f"grey-alpha-{name}.png", png(pair, "grey-alpha"), (rgb(luma),))
    deep = np.concatenate([SCENE, half], axis=2).astype(np.uint16) * 257
    yield OddPicture("rgba-16-half.png", png(deep, "rgba", 16), (SCENE,), 1)
    clear = chunk(b"tRNS", struct.pack(">3H", *SCENE[0, 0].tolist()))
    yield OddPicture("rgb-trns.png", png(SCENE, "rgb", before=clear), (SCENE,))
    clear = chunk(b"tRNS", struct.pack(">H", int(luma[100, 100])))
    yield OddPicture("grey-trns.png", png(luma[..., None], "grey", before=clear), (rgb(luma),))


def _turned() -> Iterator[OddPicture]:
    for orientation in range(1, 9):
        block = exif(orientation).tobytes().removeprefix(b"Exif\0\0")
        turned = stored(SCENE, orientation)
        data = png(turned, "rgb", before=chunk(b"eXIf", block))
        yield OddPicture(f"exif-{orientation}.png", data, (SCENE,))
        raw = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(_raw_profile(block)))
        yield OddPicture(f"raw-profile-{orientation}.png", png(turned, "rgb", before=raw), (SCENE,))
    block = exif(6).tobytes().removeprefix(b"Exif\0\0")
    after = png(stored(SCENE, 6), "rgb", after=chunk(b"eXIf", block))
    yield OddPicture("exif-behind-data.png", after, (SCENE,))
    text = chunk(b"tEXt", b"Raw profile type APP1\0" + _raw_profile(block))
    yield OddPicture(
        "raw-profile-app1-text.png", png(stored(SCENE, 6), "rgb", before=text), (SCENE,)
    )
    nonsense = chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f")
    yield OddPicture("exif-nonsense.png", png(SCENE, "rgb", before=nonsense), (SCENE,))


def _raw_profile(block: bytes) -> bytes:
    """Write EXIF as ImageMagick does: a name, a length, and hexadecimal lines of 36 bytes."""
    whole = b"Exif\0\0" + block
    digits = whole.hex().encode()
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return b"\nexif\n%8d\n" % len(whole) + lines + b"\n"


def _ancillary() -> Iterator[OddPicture]:
    srgb = chunk(b"sRGB", b"\0")
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    linear = chunk(b"gAMA", struct.pack(">I", 100000))
    chroma = chunk(
        b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    )
    density = chunk(b"pHYs", struct.pack(">IIB", 2835, 5670, 1))
    significant = chunk(b"sBIT", b"\x05\x06\x05")
    background = chunk(b"bKGD", struct.pack(">3H", 255, 0, 255))
    text = b"".join(chunk(b"tEXt", b"Comment\0number %d" % number) for number in range(300))
    packed = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10_000)))
    broken = chunk(b"zTXt", b"Comment\0\0" + b"no zlib stream")
    profile = chunk(b"iCCP", b"none\0\0" + zlib.compress(bytes(200)))
    time = chunk(b"tIME", struct.pack(">HBBBBB", 2026, 2, 3, 4, 5, 6))
    for name, before in {
        "srgb": srgb, "gama": gamma, "gama-linear": linear, "chrm": gamma + chroma,
        "phys": density, "sbit": significant, "bkgd": background, "all": srgb + gamma + chroma
        + density + background, "text-300": text, "ztxt": packed, "ztxt-broken": broken,
        "iccp-nonsense": profile, "time": time,
        "unknown": chunk(b"prVt", b"private"),
    }.items():  # fmt: skip
        yield OddPicture(f"chunk-{name}.png", png(SCENE, "rgb", before=before), (SCENE,))
    luma = grey(SCENE)[..., None]
    data = png(luma, "grey", before=srgb + gamma)
    yield OddPicture("chunk-all-grey.png", data, (rgb(luma[..., 0]),))


def _shaped() -> Iterator[OddPicture]:
    yield OddPicture("idat-1-byte.png", png(SCENE[:48, :48], "rgb", piece=1), (SCENE[:48, :48],))
    yield OddPicture("idat-empty.png", png(SCENE, "rgb", before=chunk(b"IDAT")), (SCENE,))
    yield OddPicture("interlaced.png", png(SCENE, "rgb", interlaced=True), (SCENE,))
    yield OddPicture("filter-up.png", png(SCENE, "rgb", filters=2), (SCENE,))
    for width, height in ((1, 1), (3, 1), (1, 7), (5, 5)):
        small = SCENE[40 : 40 + height, 40 : 40 + width]
        for interlaced in (False, True):
            name = f"size-{width}x{height}{'-interlaced' * interlaced}.png"
            yield OddPicture(name, png(small, "rgb", interlaced=interlaced), (small,))
    yield OddPicture("bytes-after.png", png(SCENE, "rgb") + b"more" * 100, (SCENE,))
    other = png(np.ascontiguousarray(255 - SCENE), "rgb")
    yield OddPicture("two-joined.png", png(SCENE, "rgb") + other, (SCENE,))
    buffer = io.BytesIO()
    frames = [Image.fromarray(SCENE), Image.fromarray(np.ascontiguousarray(255 - SCENE))]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], duration=100)
    yield OddPicture("animated.png", buffer.getvalue(), (SCENE,))
    buffer = io.BytesIO()
    frames[1].save(
        buffer, "PNG", save_all=True, append_images=frames[:1], duration=100, default_image=True
    )
    still = np.ascontiguousarray(255 - SCENE)
    yield OddPicture("animated-default.png", buffer.getvalue(), (still, SCENE))


def _broken() -> Iterator[OddPicture]:
    whole = png(SCENE, "rgb", piece=4096)
    failed = "image_decode_failed"
    data = whole.index(b"IDAT")
    yield OddPicture("cut.png", whole[: len(whole) // 2], error=failed)
    yield OddPicture("cut-plus-iend.png", whole[:4000] + chunk(b"IEND"), error=failed)
    second = whole.index(b"IDAT", data + 4)
    short = whole[: second - 4] + chunk(b"IEND")
    yield OddPicture("rows-missing.png", short, error=failed)
    broken = bytearray(whole)
    broken[second + 4 + 4096] ^= 0xFF
    yield OddPicture("crc-of-data.png", bytes(broken), error=failed)
    middle = second + 2000
    noise = np.random.default_rng(7).bytes(200)
    yield OddPicture(
        "noise-in-data.png", whole[:middle] + noise + whole[middle + 200 :], error=failed
    )
    wrong = bytearray(whole)
    wrong[29] ^= 0xFF
    yield OddPicture("crc-of-header.png", bytes(wrong), error=failed)
    luma = (grey(SCENE) >> 4)[..., None]
    yield OddPicture("palette-missing.png", png(luma, "palette", 8), error=failed)
    yield OddPicture("no-data.png", SIGNATURE + whole[8:33] + chunk(b"IEND"), error=failed)
    yield OddPicture("header-only.png", whole[:33], error=failed)
