"""Archives that are bombs: names, headers, ratios and claims."""

import bz2
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.odd.bombs import ANSWER, Bomb, bomb, deflated_zeros
from tests.odd.packed.other_archives import seven_zipped
from tests.odd.packed.tars import END, entry, tarred
from tests.odd.packed.zips import Entry, by_hand, zipped
from tests.odd.still.bomb_pictures import small_png

CORRUPT, TOO_LARGE, UNSUPPORTED = "corrupt_archive", "archive_too_large", "unsupported_archive"


def archives() -> Iterator[Bomb]:
    """Give every archive that is a bomb; codes are of the job, ANSWER where its items have them."""
    yield from _tars()
    yield from _zips()
    yield from _compressed()


def _pax(key: bytes, value: bytes, kind: bytes = b"x") -> bytes:
    """Give an extended header with one record (POSIX, pax)."""
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return entry("pax", kind, data=b"%d %s=%s\n" % (length, key, value))


def _tars() -> Iterator[Bomb]:
    picture = small_png()
    named = b"".join(
        _pax(b"path", b"%06d" % number * 170_000 + b".png") + entry("a", b"0", data=picture)
        for number in range(20)
    )
    yield bomb("names-of-a-megabyte.tar", named + END, ANSWER, CORRUPT, TOO_LARGE)
    long = entry("././@LongLink", b"L", data=b"n" * 10**6) + entry("a", b"0", data=picture)
    yield bomb("gnu-names-of-a-megabyte.tar", long * 20 + END, ANSWER, CORRUPT, TOO_LARGE)
    header = _pax(b"comment", b"c")
    yield bomb("headers-alone.tar", header * 100_000 + END, ANSWER, CORRUPT, UNSUPPORTED)
    folder = header + entry("folder/", b"5")
    yield bomb("headers-and-folders.tar", folder * 60_000 + END, "empty_input", CORRUPT)
    link = b"".join(entry(f"{n}.png", b"1", f"{n - 1}.png") for n in range(1, 500))
    chain = entry("0.png", b"0", data=picture) + link + END
    yield bomb("chain-of-links.tar", chain, ANSWER, TOO_LARGE, CORRUPT)
    big = _pax(b"path", b"x" * 10) + entry("big.png", b"0")
    claimed = bytearray(big)
    claimed[-512 + 124 : -512 + 136] = b"\x80" + bytes(3) + (2**62).to_bytes(8, "big")
    claimed[-512 + 148 : -512 + 156] = b" " * 8
    claimed[-512 + 148 : -512 + 156] = b"%06o\0 " % sum(claimed[-512:])
    yield bomb("claimed-size.tar", bytes(claimed) + END, CORRUPT, TOO_LARGE)


def _zips() -> Iterator[Bomb]:
    picture, zeros = small_png(), deflated_zeros(64)
    ratio = Entry(b"zeros.png", b"", 8, zeros)
    yield bomb("ratio.zip", _stating(by_hand([ratio]), 64 * 2**20), ANSWER, TOO_LARGE, CORRUPT)
    inner = zipped({f"{n}.zip": by_hand([ratio]) for n in range(10)}, zipfile.ZIP_STORED)
    yield bomb("nested.zip", inner, ANSWER, TOO_LARGE, CORRUPT)
    yield bomb("overlapping.zip", _overlapping(picture, 60_000), CORRUPT, TOO_LARGE)
    name = Entry(b"n" * 65_000 + b".png", picture)
    yield bomb("long-names.zip", by_hand([name] * 100), ANSWER, CORRUPT, TOO_LARGE)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFE, 0xFFFE, 2**31, 0, 0)
    yield bomb("claimed-directory.zip", by_hand([Entry(b"a.png", picture)])[:-22] + end, CORRUPT)
    texts = png_of_texts()
    yield bomb(
        "packed-texts.zip", zipped({"texts.png": texts, "a.png": picture}), ANSWER, TOO_LARGE
    )


def png_of_texts() -> bytes:
    """Give the picture whose packed texts unpack to gigabytes."""
    from tests.odd.bombs import bombs_of

    return next(each.data for each in bombs_of("pictures") if each.name == "texts.png")


def _stating(data: bytes, size: int) -> bytes:
    """State the unpacked size and checksum of zeros in a zip of one member."""
    changed, crc = bytearray(data), zlib.crc32(bytes(size))
    for start in (0, changed.rindex(b"PK\1\2") + 2):
        struct.pack_into("<I", changed, start + 14, crc)
        struct.pack_into("<I", changed, start + 22, size)
    return bytes(changed)


def _overlapping(picture: bytes, count: int) -> bytes:
    """Write a zip whose members are all the same bytes, as in D. Fifield's zip bomb."""
    one = by_hand([Entry(b"a.png", picture)])
    start = one.rindex(b"PK\1\2")
    directory = one[start:-22] * count
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    return one[:start] + directory + end


def _compressed() -> Iterator[Bomb]:
    many = 4000
    head = b"\x1f\x8b\x08" + bytes(7)
    yield bomb("zeros.gz", head + deflated_zeros(many) + bytes(8), TOO_LARGE)
    pieces = bz2.compress(bytes(20 * 2**20)) * 200
    yield bomb("zeros.bz2", pieces, TOO_LARGE)
    # A frame of blocks that repeat a byte: RFC 8878, 3.1.1.
    repeated = struct.pack("<I", 2**17 << 3 | 1 << 1)[:3] + b"\0"
    frame = b"\x28\xb5\x2f\xfd\0\x50" + repeated * (8 * many) + b"\1\0\0"
    yield bomb("zeros.zst", frame, TOO_LARGE)
    yield bomb("window.zst", b"\x28\xb5\x2f\xfd\0\xa8" + repeated * 100, UNSUPPORTED, CORRUPT)
    yield bomb("zeros.xz", _xz_zeros(many // 2), TOO_LARGE)
    headers = _pax(b"comment", b"c")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    unit = packer.compress(headers * 1000) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(END) + packer.flush()
    yield bomb("headers.tar.gz", head + unit * 300 + tail + bytes(8), TOO_LARGE, CORRUPT)
    wide = seven_zipped({"zeros.png": bytes(40 * 2**20), "a.png": small_png()})
    yield bomb("zeros.7z", wide, ANSWER, TOO_LARGE)
    yield bomb("many-empty.7z", seven_zipped({f"{n}.png": b"" for n in range(500)}), ANSWER,
               UNSUPPORTED)  # fmt: skip
    yield bomb("tar-in-tar.gz", _gz(tarred({"a.tar": tarred({"b.png": small_png()})})), ANSWER)


def _gz(data: bytes) -> bytes:
    return zlib.compress(data, 9, 31)


def _xz_zeros(mebibytes: int) -> bytes:
    """Give an .xz stream of zeros (its format's specification 1.2.1), cut before its index."""
    import lzma

    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**20}]
    raw = lzma.compress(bytes(2 * 2**20), lzma.FORMAT_RAW, filters=filters)
    whole = lzma.compress(b"", lzma.FORMAT_XZ, lzma.CHECK_NONE)
    header = bytes([2, 0, 0x21, 1, 16, 0, 0, 0])
    return whole[:12] + header + struct.pack("<I", zlib.crc32(header)) + raw[:-1] * (mebibytes // 2)
