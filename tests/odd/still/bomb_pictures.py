"""Pictures that are bombs, written by hand from their formats' own parts."""

import struct
from collections.abc import Iterator

import numpy as np

from tests.odd.bombs import ANSWER, BROKEN, TOO_LARGE, UNKNOWN, Bomb, bomb, zlib_zeros
from tests.odd.still import tiff_by_hand as by_hand
from tests.odd.still.jpegs import SAMPLES, jpeg
from tests.odd.still.modern import avif
from tests.odd.still.pngs import SIGNATURE, chunk, png
from tests.odd.still.scene import SCENE
from tests.odd.still.tiff_by_hand import Directory, tiff

_SMALL = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)


def pictures() -> Iterator[Bomb]:
    """Give every picture that is a bomb."""
    yield from _pngs()
    yield from _jpegs()
    yield from _gifs_and_webps()
    yield from _tiffs()
    yield from _others()


def _pngs() -> Iterator[Bomb]:
    text = b"Comment\0\0" + zlib_zeros(7 * 2**20)
    yield bomb("texts.png", png(_SMALL, "rgb", before=chunk(b"zTXt", text) * 1000))
    wide = b"Comment\0\1\0\0\0" + zlib_zeros(7 * 2**20)
    yield bomb("wide-texts.png", png(_SMALL, "rgb", after=chunk(b"iTXt", wide) * 1000))
    profile = b"Raw profile type exif\0\0" + zlib_zeros(2**18)
    data = png(_SMALL, "rgb", before=chunk(b"zTXt", profile) * 50_000)
    yield bomb("raw-profiles.png", data, ANSWER, BROKEN)
    profile = chunk(b"iCCP", b"ICC\0\0" + zlib_zeros(1000 * 2**20))
    yield bomb("colour-profile.png", png(_SMALL, "rgb", before=profile), ANSWER, BROKEN)
    for name, side, codes, mib in (
        ("interlaced-zeros.png", 10_000, (), 800),
        ("interlaced-claim.png", 30_000, (TOO_LARGE,), 0),
    ):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 1)
        held = zlib_zeros(3 * side * side + sum(_adam7_rows(side)) if mib else 100)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", held) + chunk(b"IEND")
        yield bomb(name, SIGNATURE + body, *codes, honest_mib=mib)
    chunks = png(_SMALL, "rgb", before=chunk(b"tEXt", b"a\0b") * 1_000_000)
    yield bomb("million-chunks.png", chunks, ANSWER, BROKEN)


def _adam7_rows(side: int) -> list[int]:
    """Count the rows of the seven passes, each with one byte that names its filter."""
    return [-(-(side - top) // down) for top, down in
            ((0, 8), (0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2))]  # fmt: skip


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jpegs() -> Iterator[Bomb]:
    side = 3000
    large = np.zeros((side, side, 3), np.uint8)
    data = jpeg(large, mode="L", progressive=True)
    scan = data.rindex(b"\xff\xda")
    header = data[scan : scan + 10]
    yield bomb("empty-scans.jpg", data[:-2] + header * 45_000 + b"\xff\xd9", BROKEN, honest_mib=64)
    small = jpeg(_SMALL, progressive=True)
    scan = small.rindex(b"\xff\xda")
    empty = small[:-2] + small[scan : scan + 10] * 45_000 + b"\xff\xd9"
    yield bomb("empty-scans-8x8.jpg", empty, BROKEN)
    frame = struct.pack(">BHHB", 8, 16_000, 15_000, 1) + b"\1\x11\0"
    plain = jpeg(_SMALL)
    at = plain.index(b"\xff\xc0")
    hidden = plain[:at] + b"\xff\x01" + plain[at : at + 5] + frame[1:5] + plain[at + 9 :]
    yield bomb("hidden-frame.jpg", hidden, TOO_LARGE)
    twice = plain.replace(b"\xff\xda", _segment(0xC0, frame) + b"\xff\xda", 1)
    yield bomb("second-frame.jpg", twice, TOO_LARGE, BROKEN)
    yield bomb(
        "million-segments.jpg", plain[:2] + _segment(0xEB, b"ab") * 1_000_000 + plain[2:],
        ANSWER, BROKEN,
    )  # fmt: skip
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    yield bomb("exif-loop.jpg", plain[:2] + _segment(0xE1, b"Exif\0\0" + loop) + plain[2:])
    many = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 65_535, 0x0112, 3, 2**32 - 1, 8) * 5000
    blocks = _segment(0xE1, b"Exif\0\0" + many[:65_000]) * 300
    yield bomb("exif-claims.jpg", plain[:2] + blocks + plain[2:])


def _gifs_and_webps() -> Iterator[Bomb]:
    screen = struct.pack("<6sHHBBB", b"GIF89a", 6000, 6000, 0x80, 0, 0) + bytes(6)
    one = b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    yield bomb("many-frames.gif", screen + one * 200_000 + b";", honest_mib=400)
    huge = struct.pack("<6sHHBBB", b"GIF89a", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    yield bomb("huge-canvas.gif", huge + one + b";", TOO_LARGE)
    frame = struct.pack("<cHHHHBB", b",", 0, 0, 6000, 6000, 0, 2)
    yield bomb("runs.gif", screen + frame + _lzw_zeros(36 * 10**6) + b";", honest_mib=400)
    yield bomb("million-extensions.gif", screen + b"!\xfe\1a\0" * 2_000_000 + one + b";", BROKEN)
    zeros = b"\x2f" + _bits([(9999, 14), (9999, 14), (0, 4), (0, 3), *[(1, 4)] * 5])
    yield bomb(
        "one-colour.webp", _riff(_riff_chunk(b"VP8L", zeros)), ANSWER, BROKEN, honest_mib=400
    )
    tiny = b"\x2f" + _bits([(0, 14), (0, 14), (0, 4), (0, 3), *[(1, 4)] * 5])
    place = bytes(12) + b"\x01\0\0" + b"\0"
    shown = _riff_chunk(b"ANMF", place + _riff_chunk(b"VP8L", tiny))
    canvas = (9999).to_bytes(3, "little") * 2
    head = _riff_chunk(b"VP8X", b"\x02\0\0\0" + canvas) + _riff_chunk(b"ANIM", bytes(6))
    yield bomb("animated.webp", _riff(head + shown * 100_000), ANSWER, BROKEN, honest_mib=400)


def _lzw_zeros(pixels: int) -> bytes:
    """Pack a run of zeros as GIF does, each code a pixel longer than the one before it."""
    codes: list[tuple[int, int]] = [(4, 3)]
    following, bits, run, left, code = 6, 3, 1, pixels, 0
    while left > 0:
        codes.append((code, bits))
        left -= run
        if len(codes) > 1 and code:
            following += 1
            bits += following == 2**bits and bits < 12
        if following >= 4095:
            codes.append((4, 12))
            following, bits, run, code = 6, 3, 1, 0
            continue
        code, run = following, run + 1
    codes.append((5, bits))
    packed = _bits(codes)
    return b"".join(
        bytes([len(packed[at : at + 255])]) + packed[at : at + 255]
        for at in range(0, len(packed), 255)
    ) + b"\0"  # fmt: skip


def _bits(fields: list[tuple[int, int]]) -> bytes:
    """Put (number, bits) behind each other, the lowest bit first."""
    digits = "".join(f"{number:0{bits}b}"[::-1] for number, bits in fields)
    whole = np.frombuffer(digits.encode(), np.uint8) - ord("0")
    return np.packbits(whole, bitorder="little").tobytes()


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _tiffs() -> Iterator[Bomb]:
    grey = {by_hand.BITS: [8], by_hand.PHOTOMETRIC: [1], by_hand.SAMPLES: [1]}
    small = {**grey, by_hand.WIDTH: [8], by_hand.HEIGHT: [8], by_hand.ROWS: [8]}
    looped = bytearray(tiff(Directory({**small, by_hand.COMPRESSION: [1]}, [bytes(range(64))])))
    looped[-4:] = looped[4:8]
    yield bomb("directory-loop.tif", bytes(looped))
    count = 1_000_000
    strips = {
        **grey,
        by_hand.WIDTH: [1],
        by_hand.HEIGHT: [count],
        by_hand.ROWS: [1],
        by_hand.COMPRESSION: [1],
    }
    yield bomb(
        "million-strips.tif", _one_byte_strips(strips, count), ANSWER, BROKEN, honest_mib=256
    )
    tiles = {
        **grey,
        by_hand.WIDTH: [8],
        by_hand.HEIGHT: [8],
        by_hand.TILE_WIDTH: [65_520],
        by_hand.TILE_HEIGHT: [65_520],
    }
    packed = Directory({**tiles, by_hand.COMPRESSION: [8]}, [zlib_zeros(2**20)], tiled=True)
    yield bomb("huge-tile.tif", tiff(packed), TOO_LARGE, BROKEN)
    ratio = Directory({**small, by_hand.COMPRESSION: [8]}, [zlib_zeros(1000 * 2**20)])
    yield bomb("deflate-strip.tif", tiff(ratio), ANSWER, BROKEN)
    for name, kind in (("lzw-strip.tif", 5), ("packbits-strip.tif", 32773)):
        data = tiff(Directory({**small, by_hand.COMPRESSION: [kind]}, [b"\x81\0" * 4_000_000]))
        yield bomb(name, data, ANSWER, BROKEN)
    pages = [Directory({**small, by_hand.COMPRESSION: [1]}, [bytes(64)])] * 2000
    yield bomb("many-pages.tif", tiff(*pages))


def _one_byte_strips(tags: dict[int, list[int]], count: int) -> bytes:
    """Write a TIFF of so many strips, all of them the same byte of the file."""
    lists = 8, 8 + 4 * count
    entries = {tag: struct.pack("<HHII", tag, 4, 1, values[0]) for tag, values in tags.items()}
    for tag, at in zip((273, 279), lists, strict=True):
        entries[tag] = struct.pack("<HHII", tag, 4, count, at)
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    ones = np.ones(2 * count, "<u4").tobytes()
    return b"II*\0" + struct.pack("<I", 8 + len(ones)) + ones + directory + bytes(4)


def _others() -> Iterator[Bomb]:
    head = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 0, 0, 1078, 40, 6000, 6000, 1, 8, 1, 0,
                       0, 0, 0, 0)  # fmt: skip
    yield bomb("run-lengths.bmp", head + bytes(1024) + b"\0\1", ANSWER, BROKEN, honest_mib=400)
    huge = head.replace(struct.pack("<ii", 6000, 6000), struct.pack("<ii", 2**30, -(2**30)))
    yield bomb("huge.bmp", huge + bytes(2000), TOO_LARGE, BROKEN)
    for kind, data in (("avif", avif(SCENE)), ("heic", (SAMPLES / "scene.heic").read_bytes())):
        for name, side, codes in (
            ("claim", 60_000, (TOO_LARGE, BROKEN)), ("false", 5000, (ANSWER, BROKEN))
        ):  # fmt: skip
            claimed = data.replace(struct.pack(">II", 288, 192), struct.pack(">II", side, side))
            assert claimed != data
            # A decoder may draw the picture as large as it is said to be.
            mib = 400 if ANSWER in codes else 0
            yield bomb(f"{name}.{kind}", claimed, *codes, honest_mib=mib)
    yield bomb("deep.avif", _nested(b"meta", 60_000, b"ftypavif\0\0\0\0avifmif1"), BROKEN, UNKNOWN)
    # SizeHeader of 2**30 rows of a ratio of one: ISO/IEC 18181-1, D.2.
    stated = _bits([(0, 1), (3, 2), (2**30 - 1, 30), (1, 3)])
    yield bomb("claim.jxl", b"\xff\x0a" + stated + bytes(100), TOO_LARGE, BROKEN, UNKNOWN)


def _nested(kind: bytes, depth: int, first: bytes) -> bytes:
    """Put boxes into boxes, so deep, behind a first one."""
    inner = bytearray()
    for place in range(depth):
        inner += struct.pack(">I", 12 * (depth - place)) + kind + bytes(4)
    return struct.pack(">I", len(first) + 4) + first + bytes(inner)


def small_png() -> bytes:
    """Give a plain picture of 8 x 8 pixels."""
    return png(_SMALL, "rgb")
