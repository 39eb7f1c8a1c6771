"""Odd TIFFs: layouts, sample kinds, compressions, pages, alphas, and what looks like camera raw."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.odd.still.jpegs import STEPS, SUBSAMPLED_STEPS, jpeg, seen_by_pillow
from tests.odd.still.scene import HEIGHT, SCENE, WIDTH, OddPicture, Pixels, grey, rgb, stored
from tests.odd.still.tiff_by_hand import (
    BITS,
    COLORMAP,
    COMPRESSION,
    COUNTS,
    DNG_VERSION,
    EXTRA,
    FORMAT,
    KIND,
    MAKE,
    ORIENTATION,
    PHOTOMETRIC,
    PREDICTOR,
    ROWS,
    SAMPLES,
    SHORT,
    SUBSAMPLING,
    Directory,
    tiff,
)  # fmt: skip
from tests.odd.still.tiff_by_hand import HEIGHT as TAG_HEIGHT
from tests.odd.still.tiff_by_hand import WIDTH as TAG_WIDTH

# What no scanner, camera or common program writes: a refusal is as good.
_RARE = ("png", "jpegxl", "lerc", "lzma")
_LOSSLESS = ("lzw", "zlib", "adobe_deflate", "packbits", "lzma", "zstd", "png", "jpegxl", "lerc")


def by_tifffile(samples: NDArray[Any], **options: Any) -> bytes:
    """Write one picture with tifffile."""
    buffer = io.BytesIO()
    byteorder, bigtiff = options.pop("byteorder", "<"), options.pop("bigtiff", False)
    with tifffile.TiffWriter(buffer, byteorder=byteorder, bigtiff=bigtiff) as writer:
        writer.write(samples, metadata=None, **options)
    return buffer.getvalue()


def by_pillow(pixels: Pixels, mode: str, **options: Any) -> bytes:
    """Write one picture with Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "TIFF", **options)
    return buffer.getvalue()


def directory(samples: bytes, bits: int, channels: int, photometric: int, **tags: Any) -> Directory:
    """Describe the scene in one strip."""
    base = {
        TAG_WIDTH: [WIDTH], TAG_HEIGHT: [HEIGHT], BITS: [bits] * channels, COMPRESSION: [1],
        PHOTOMETRIC: [photometric], SAMPLES: [channels], ROWS: [HEIGHT],
    }  # fmt: skip
    return Directory(base | tags.pop("more", {}), [samples], **tags)


def tiffs() -> Iterator[OddPicture]:
    """Give every odd TIFF."""
    yield from _laid_out()
    yield from _compressed()
    yield from _deep()
    yield from _coloured()
    yield from _alphas()
    yield from _several()
    yield from _raw_like()
    yield from _broken()


def _laid_out() -> Iterator[OddPicture]:
    for name, options in {
        "strips-5-rows": {"rowsperstrip": 5}, "one-strip": {"rowsperstrip": HEIGHT},
        "tiles": {"tile": (64, 80)}, "tiles-larger": {"tile": (256, 512)},
        "big-endian": {"byteorder": ">"}, "bigtiff": {"bigtiff": True},
        "bigtiff-big-endian-tiles": {"bigtiff": True, "byteorder": ">", "tile": (64, 64)},
        "software-and-description": {"software": "x" * 900, "description": "y" * 5000},
        "density": {"resolution": (300, 300)},
    }.items():  # fmt: skip
        data = by_tifffile(SCENE, photometric="rgb", **options)
        yield OddPicture(f"{name}.tif", data, (SCENE,))
    planes = np.ascontiguousarray(SCENE.transpose(2, 0, 1))
    for name, options in {"planes": {}, "planes-tiles": {"tile": (64, 64)}}.items():
        data = by_tifffile(planes, photometric="rgb", planarconfig="separate", **options)
        yield OddPicture(f"{name}.tif", data, (SCENE,))
    for orientation in range(1, 9):
        turned = stored(SCENE, orientation)
        code = (ORIENTATION, SHORT, 1, orientation, True)
        data = by_tifffile(turned, photometric="rgb", extratags=[code])
        yield OddPicture(f"orientation-{orientation}.tif", data, (SCENE,))


def _compressed() -> Iterator[OddPicture]:
    for name in _LOSSLESS:
        for suffix, options in {"": {}, "-tiles": {"tile": (64, 80)}}.items():
            data = by_tifffile(SCENE, photometric="rgb", compression=name, **options)
            rare = name in _RARE
            yield OddPicture(f"{name}{suffix}.tif", data, (SCENE,), may_refuse=rare)
    for name in ("lzw", "zlib", "zstd"):
        data = by_tifffile(SCENE, photometric="rgb", compression=name, predictor=True)
        yield OddPicture(f"{name}-predictor-2.tif", data, (SCENE,))
    # LibTIFF heeds a predictor only where the way of packing knows one.
    for name, code, packed in (
        ("stored", 1, SCENE.tobytes()),
        ("packbits", 32773, imagecodecs.packbits_encode(SCENE.tobytes())),
    ):
        idle = directory(bytes(packed), 8, 3, 2, more={COMPRESSION: [code], PREDICTOR: [2]})
        yield OddPicture(f"{name}-predictor-2.tif", tiff(idle), (SCENE,))
    sixteen = SCENE.astype(np.uint16) * 257
    for order in "<>":
        data = by_tifffile(
            sixteen, photometric="rgb", compression="lzw", predictor=True, byteorder=order
        )
        yield OddPicture(f"lzw-predictor-2-16-bit-{order == '>'}.tif", data, (SCENE,), 1)
    for name in ("jpeg2000", "jpegxr"):
        data = by_tifffile(SCENE, photometric="rgb", compression=name)
        yield OddPicture(f"{name}.tif", data, (SCENE,), 0, may_refuse=True)
    webp = by_tifffile(
        SCENE,
        photometric="rgb",
        compression="webp",
        compressionargs={"level": 100, "lossless": True},
    )
    yield OddPicture("webp.tif", webp, (SCENE,), 0, may_refuse=True)
    data = by_tifffile(
        SCENE, photometric="ycbcr", compression="jpeg", subsampling=(2, 2), tile=(64, 64)
    )
    yield OddPicture("jpeg-tiles-420.tif", data, (seen_by_pillow(data),), SUBSAMPLED_STEPS)
    data = by_pillow(SCENE, "RGB", compression="jpeg", quality=92)
    yield OddPicture("jpeg.tif", data, (seen_by_pillow(data),), SUBSAMPLED_STEPS)
    data = by_pillow(SCENE, "L", compression="jpeg", quality=92)
    yield OddPicture("jpeg-grey.tif", data, (seen_by_pillow(data),), STEPS)
    hinted = directory(jpeg(), 8, 3, 2, more={COMPRESSION: [7]})
    raw = np.asarray(Image.open(io.BytesIO(jpeg())).convert("YCbCr"))
    yield OddPicture("jpeg-hints-otherwise.tif", tiff(hinted), (raw,), 3, may_refuse=True)
    bilevel = rgb(np.where(grey(SCENE) > 127, 255, 0))
    for name in ("group3", "group4", "tiff_ccitt", "tiff_lzw", "packbits", "tiff_deflate"):
        data = by_pillow(bilevel, "1", compression=name)
        yield OddPicture(f"bilevel-{name}.tif", data, (bilevel,))


def _deep() -> Iterator[OddPicture]:
    luma = grey(SCENE)
    for bits in (1, 2, 4, 8):
        coarse = (luma >> (8 - bits)).astype(np.uint8)
        shown = rgb(coarse.astype(np.uint16) * 255 // (2**bits - 1))
        packed = _packed(coarse, bits)
        for name, photometric in (("grey", 1), ("white-is-zero", 0)):
            data = tiff(directory(packed, bits, 1, photometric))
            expected = shown if photometric else 255 - shown
            yield OddPicture(f"{name}-{bits}.tif", data, (expected,), 1)
    twelve = _packed(luma.astype(np.uint16) << 4 | luma >> 4, 12)
    yield OddPicture(
        "grey-12.tif", tiff(directory(twelve, 12, 1, 1)), (rgb(luma),), 1, may_refuse=True
    )
    for order in "<>":
        words = (luma.astype(order + "u2") * np.uint16(257)).astype(order + "u2").tobytes()
        data = tiff(directory(words, 16, 1, 1), order=order)
        yield OddPicture(f"grey-16-{order == '>'}.tif", data, (rgb(luma),), 1)
    colors = (SCENE.astype("<u2") * np.uint16(257)).tobytes()
    yield OddPicture("rgb-16.tif", tiff(directory(colors, 16, 3, 2)), (SCENE,), 1)
    words = (luma.astype("<u4") * np.uint32(0x01010101)).tobytes()
    yield OddPicture(
        "grey-32.tif", tiff(directory(words, 32, 1, 1)), (rgb(luma),), 1, may_refuse=True
    )
    for kind in ("<f4", "<f8"):
        real = (SCENE / 255).astype(kind).tobytes()
        one = directory(real, int(kind[2]) * 8, 3, 2, more={FORMAT: [3, 3, 3]})
        yield OddPicture(f"rgb-float-{kind[2]}.tif", tiff(one), (SCENE,), 1, may_refuse=True)
    half = by_tifffile(
        (SCENE / 255).astype("f4"), photometric="rgb", compression="zlib", predictor=True
    )
    yield OddPicture("float-predictor-3.tif", half, (SCENE,), 1, may_refuse=True)
    nan = np.full((HEIGHT, WIDTH), np.nan, "<f4")
    nan[:, : WIDTH // 2] = 1e30
    strange = directory(nan.tobytes(), 32, 1, 1, more={FORMAT: [3]})
    yield OddPicture("float-nan.tif", tiff(strange), error="", may_refuse=True)
    signed = (luma.astype(np.int16) - 128).astype("<i1").tobytes()
    minus = directory(signed, 8, 1, 1, more={FORMAT: [2]})
    yield OddPicture("grey-signed-8.tif", tiff(minus), (rgb(luma),), 1, may_refuse=True)


def _packed(samples: NDArray[Any], bits: int) -> bytes:
    spread = (samples[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def _coloured() -> Iterator[OddPicture]:
    luma = grey(SCENE)
    for bits in (4, 8):
        colors = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), np.uint8)
        indices = luma >> (8 - bits)
        wide = (colors.astype(np.uint16) * 257).T.reshape(-1).tolist()
        one = directory(_packed(indices, bits), bits, 1, 3, more={COLORMAP: wide})
        yield OddPicture(f"palette-{bits}.tif", tiff(one), (colors[indices],), 1)
    inks = np.dstack([255 - SCENE, np.zeros((HEIGHT, WIDTH), np.uint8)])
    one = directory(inks.tobytes(), 8, 4, 5)
    yield OddPicture("cmyk.tif", tiff(one), (SCENE,), 2)
    image = Image.fromarray(SCENE).convert("YCbCr")
    full = np.asarray(image)
    shown = np.asarray(image.convert("RGB"))
    one = directory(full.tobytes(), 8, 3, 6, more={SUBSAMPLING: [1, 1]})
    yield OddPicture("ycbcr-444.tif", tiff(one), (shown,), 2, may_refuse=True)
    unnamed = directory(SCENE.tobytes(), 8, 3, 2)
    unnamed.tags.pop(PHOTOMETRIC)
    yield OddPicture("colours-unnamed.tif", tiff(unnamed), (SCENE,), may_refuse=True)
    bands = directory(SCENE.tobytes(), 8, 3, 1)
    yield OddPicture("three-bands-of-grey.tif", tiff(bands), error="image_decode_failed")
    lab = directory(SCENE.tobytes(), 8, 3, 8)
    yield OddPicture("cielab.tif", tiff(lab), error="", may_refuse=True)


def _alphas() -> Iterator[OddPicture]:
    half = np.full((HEIGHT, WIDTH, 1), 128, np.uint8)
    full = half | np.uint8(255)
    for name, alpha, kind in (
        ("half-unassociated", half, 2), ("zero-unassociated", half * 0, 2),
        ("full-associated", full, 1), ("half-unspecified", half, 0),
    ):  # fmt: skip
        rgba = np.concatenate([SCENE, alpha], axis=2)
        one = directory(rgba.tobytes(), 8, 4, 2, more={EXTRA: [kind]})
        yield OddPicture(f"rgba-{name}.tif", tiff(one), (SCENE,))
    premultiplied = (SCENE.astype(np.uint16) * 128 // 255).astype(np.uint8)
    rgba = np.concatenate([premultiplied, half], axis=2)
    one = directory(rgba.tobytes(), 8, 4, 2, more={EXTRA: [1]})
    yield OddPicture("rgba-half-associated.tif", tiff(one), (premultiplied, SCENE), 2)
    luma = grey(SCENE)
    pair = np.dstack([luma, np.full_like(luma, 128)])
    one = directory(pair.tobytes(), 8, 2, 1, more={EXTRA: [2]})
    yield OddPicture("grey-alpha.tif", tiff(one), (rgb(luma),))
    five = np.concatenate([SCENE, half, half], axis=2)
    one = directory(five.tobytes(), 8, 5, 2, more={EXTRA: [2, 0]})
    yield OddPicture("rgb-and-2-extra.tif", tiff(one), (SCENE,), may_refuse=True)


def _scene(pixels: Pixels = SCENE, **tags: Any) -> Directory:
    more = {TAG_WIDTH: [pixels.shape[1]], TAG_HEIGHT: [pixels.shape[0]], ROWS: [pixels.shape[0]]}
    return directory(pixels.tobytes(), 8, 3, 2, more=more | tags.pop("more", {}), **tags)


def _several() -> Iterator[OddPicture]:
    other = _scene(np.ascontiguousarray(255 - SCENE))
    yield OddPicture("two-pages.tif", tiff(_scene(), other), (SCENE,))
    small = _scene(np.ascontiguousarray(SCENE[::4, ::4]), more={KIND: [1]})
    yield OddPicture("picture-then-thumbnail.tif", tiff(_scene(), small), (SCENE,))
    yield OddPicture("smaller-levels.tif", tiff(_scene(children=[small])), (SCENE,))
    loop = bytearray(tiff(_scene()))
    start = struct.unpack_from("<I", loop, 4)[0]
    struct.pack_into("<I", loop, len(loop) - 4, start)
    yield OddPicture("directory-loop.tif", bytes(loop), (SCENE,), may_refuse=True)


def _raw_like() -> Iterator[OddPicture]:
    """Camera raw begins with a small picture: the large one, or a refusal that says so."""
    small = np.ascontiguousarray(SCENE[::4, ::4])
    full = _scene()
    thumbnail = {KIND: [1], MAKE: b"Somebody\0"}
    yield OddPicture(
        "thumbnail-then-sub-ifd.tif", tiff(_scene(small, more=thumbnail, children=[full])),
        (SCENE,), may_refuse=True,
    )  # fmt: skip
    dng = thumbnail | {DNG_VERSION: b"\1\4\0\0"}
    for name, order in (("dng", "<"), ("dng-big-endian", ">")):
        data = tiff(_scene(small, more=dng, children=[full]), order=order)
        yield OddPicture(f"{name}.dng", data, (SCENE,), says="raw", may_refuse=True)
    mosaic = directory(grey(SCENE).astype("<u2").tobytes(), 16, 1, 32803)
    nef = tiff(_scene(small, more=thumbnail, children=[mosaic]))
    yield OddPicture("nef-like.nef", nef, error="unsupported_media", says="raw")
    yield OddPicture("mosaic-only.tif", tiff(mosaic), error="", may_refuse=True)
    cr2 = bytearray(tiff(_scene(small, more=thumbnail)))
    cr2[4:8] = struct.pack("<I", struct.unpack_from("<I", cr2, 4)[0] + 8)
    marked = bytes(cr2[:8]) + b"CR\x02\0\0\0\0\0" + bytes(cr2[8:])
    yield OddPicture("cr2-like.cr2", marked, error="unsupported_media", says="raw")
    yield OddPicture(
        "thumbnail-then-page.tif", tiff(_scene(small, more=thumbnail), full), (SCENE,),
        may_refuse=True,
    )  # fmt: skip


def _broken() -> Iterator[OddPicture]:
    noise = np.random.default_rng(3).bytes(64)
    failed = "image_decode_failed"
    for name in ("lzw", "zlib", "zstd", "packbits"):
        whole = by_tifffile(SCENE, photometric="rgb", compression=name, rowsperstrip=HEIGHT)
        noisy = whole[: len(whole) // 2] + noise + whole[len(whole) // 2 + 64 :]
        if name != "zstd":  # whose frames carry no checksum unless they are asked to
            yield OddPicture(f"{name}-noise.tif", noisy, error=failed)
        short = tifffile.TiffFile(io.BytesIO(whole)).pages[0].tags[COUNTS]
        cut = bytearray(whole)
        struct.pack_into("<I", cut, short.offset + 8, short.value[0] // 2)
        yield OddPicture(f"{name}-short-strip.tif", bytes(cut), error=failed)
    whole = tiff(_scene())
    far = directory(b"", 8, 3, 2)
    yield OddPicture("strip-missing.tif", tiff(far), error=failed)
    body = by_tifffile(SCENE, photometric="rgb", rowsperstrip=8)
    yield OddPicture("cut.tif", body[: len(body) // 2], error=failed)
    half = _scene()
    halved = Directory(half.tags, [half.pieces[0][: len(half.pieces[0]) // 2]])
    yield OddPicture("half-the-rows.tif", tiff(halved), error=failed)
    unknown = Directory({**half.tags, COMPRESSION: [34892 + 20000]}, half.pieces)
    yield OddPicture("unknown-compression.tif", tiff(unknown), error="", may_refuse=True)
    data = jpeg()
    old = Directory({**half.tags, COMPRESSION: [6], PHOTOMETRIC: [6]}, [data])
    yield OddPicture(
        "old-style-jpeg.tif", tiff(old), (seen_by_pillow(data),), STEPS, may_refuse=True
    )
    yield OddPicture("no-directory.tif", whole[:4] + b"\xff\xff\xff\x7f" + whole[8:], error=failed)
