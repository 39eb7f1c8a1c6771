"""Odd zips, by Python's zipfile and by hand (PKWARE APPNOTE 6.3.10)."""

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from backports import zstd

from tests.odd.packed.archives import THREE, OddArchive, content, files

CORRUPT = "corrupt_archive"
_UTF8 = 0x0800


@dataclass(frozen=True)
class Entry:
    """One member, written by hand."""

    name: bytes
    data: bytes
    method: int = 0
    packed: bytes | None = None
    flags: int = 0
    extra: bytes = b""
    crc: int | None = None
    attributes: int = 0


def by_hand(entries: Sequence[Entry], before: bytes = b"", mark: bytes = b"") -> bytes:
    """Write a zip; `before` is prepended without a word, `mark` is part of the archive."""
    body, directory = bytearray(mark), b""
    for each in entries:
        packed = each.data if each.packed is None else each.packed
        crc = zlib.crc32(each.data) if each.crc is None else each.crc
        fixed = struct.pack(
            "<5H3I2H", 20, each.flags, each.method, 0, 33, crc, len(packed), len(each.data),
            len(each.name), len(each.extra),
        )  # fmt: skip
        directory += b"PK\1\2\x14\3" + fixed
        directory += struct.pack("<3H2I", 0, 0, 0, each.attributes, len(body))
        directory += each.name + each.extra
        body += b"PK\3\4" + fixed + each.name + each.extra + packed
    count = len(entries)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return before + bytes(body) + directory + end


class _Pipe(io.RawIOBase):
    """Makes zipfile write as into a pipe: sizes and checksums behind the data."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.parts.append(bytes(data))  # type: ignore[call-overload]
        return len(self.parts[-1])


def zipped(
    held: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"",
    zip64: bool = False,
) -> bytes:  # fmt: skip
    """Pack files with zipfile."""
    buffer = io.BytesIO()
    _write(buffer, held, method, comment, zip64)
    return buffer.getvalue()


def _write(
    out: BinaryIO, held: Mapping[str, bytes], method: int, comment: bytes, zip64: bool
) -> None:
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = comment
        for name, data in held.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=zip64) as member:
                member.write(data)


def streamed(held: Mapping[str, bytes], method: int) -> bytes:
    """Pack files as into a pipe."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:  # type: ignore[call-overload]
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return b"".join(pipe.parts)


def zips() -> Iterator[OddArchive]:
    """Give every odd zip."""
    yield from _layouts()
    yield from _methods()
    yield from _names()
    yield from _broken()


def _layouts() -> Iterator[OddArchive]:
    three = tuple(THREE.items())
    whole = zipped(THREE)
    yield OddArchive("plain.zip", whole, three)
    yield OddArchive("stored.zip", zipped(THREE, zipfile.ZIP_STORED), three)
    yield OddArchive("comment.zip", zipped(THREE, comment=b"PK\5\6" * 50), three)
    yield OddArchive("zip64.zip", zipped(THREE, zip64=True), three)
    for method, name in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated")):
        yield OddArchive(f"streamed-{name}.zip", streamed(THREE, method), three)
    program = b"MZ" + bytes(5000)
    yield OddArchive("self-extracting.exe", program + whole, three)
    yield OddArchive("self-extracting.elf", b"\x7fELF" + bytes(5000) + whole, three)
    entries = [Entry(name.encode(), data) for name, data in THREE.items()]
    yield OddArchive("split-mark.zip", by_hand(entries, mark=b"PK00"), three)
    yield OddArchive("spanned-mark.zip", by_hand(entries, mark=b"PK\7\x08"), three)
    more = zipped(files("four.png"), comment=b"the second")
    yield OddArchive("joined.zip", whole + more, error="unsupported_archive")
    yield OddArchive("joined-three.zip", whole + more + whole, error="unsupported_archive")
    yield OddArchive("bytes-after.zip", whole + bytes(300), three, may_refuse=True)
    yield OddArchive("empty.zip", zipped({}))
    link = Entry(b"soft.png", b"one.png", attributes=0o120777 << 16)
    one = Entry(b"one.png", content("one.png"))
    yield OddArchive("symlink.zip", by_hand([one, link]), (("one.png", one.data),), ("soft.png",))
    folder = Entry(b"folder/", b"")
    yield OddArchive("folder.zip", by_hand([folder, one]), (("one.png", one.data),))


def _methods() -> Iterator[OddArchive]:
    """One foreign member costs itself at most: the others are read."""
    good = Entry(b"good.png", content("good.png"))
    data = content("odd.png", 3000) + bytes(2000)
    bzip = Entry(b"odd.png", data, 12, bz2.compress(data))
    yield OddArchive("bzip2.zip", by_hand([bzip, good]), _read_or_not(data, good))
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "preset": 6}])
    properties = struct.pack("<BBH", 9, 4, 5) + b"\x5d" + struct.pack("<I", 1 << 23)
    packed = Entry(b"odd.png", data, 14, properties + raw, flags=2)
    yield OddArchive("lzma.zip", by_hand([packed, good]), _read_or_not(data, good))
    yield OddArchive(
        "zstd.zip", by_hand([Entry(b"odd.png", data, 93, zstd.compress(data)), good]),
        _read_or_not(data, good),
    )  # fmt: skip
    for name, method in (("deflate64", 9), ("ppmd", 98), ("xz", 95), ("implode", 6), ("none", 77)):
        odd = Entry(b"odd.png", data, method, data[:900])
        yield OddArchive(f"{name}.zip", by_hand([odd, good]), _read_or_not(None, good))
    secret = Entry(b"odd.png", data, 0, bytes(12) + data, flags=1)
    yield OddArchive("encrypted.zip", by_hand([secret, good]), _read_or_not(None, good))
    aes = Entry(b"odd.png", data, 99, bytes(28) + data, flags=1)
    yield OddArchive("aes.zip", by_hand([aes, good]), _read_or_not(None, good))
    readme = Entry(b"readme.txt", data, 98, data[:99])
    found = (("good.png", good.data),)
    yield OddArchive("readme-ppmd.zip", by_hand([readme, good]), found, ("readme.txt",))


def _read_or_not(data: bytes | None, good: Entry) -> tuple[tuple[str, bytes | None], ...]:
    return (("odd.png", data), ("good.png", good.data))


def _names() -> Iterator[OddArchive]:
    wide = files("写真/テスト.png", "Übung/Größe.jpg", "emoji-🎈.png")
    yield OddArchive("utf-8.zip", zipped(wide), tuple(wide.items()))
    bare = [Entry(name.encode(), data) for name, data in wide.items()]
    yield OddArchive("utf-8-unflagged.zip", by_hand(bare), tuple(wide.items()))
    japanese = "写真ソ表/テスト十.png"
    data = content("japanese")
    yield OddArchive(
        "shift-jis.zip", by_hand([Entry(japanese.encode("cp932"), data)]), ((japanese, data),)
    )
    german = "Größe Übung.png"
    yield OddArchive("cp437.zip", by_hand([Entry(german.encode("cp437"), data)]), ((german, data),))
    wrong = b"????.png"
    path = struct.pack("<BI", 1, zlib.crc32(wrong)) + "写真/テスト.png".encode()
    extra = struct.pack("<HH", 0x7075, len(path)) + path
    yield OddArchive(
        "unicode-path.zip", by_hand([Entry(wrong, data, extra=extra)]), (("写真/テスト.png", data),)
    )
    stale = struct.pack("<BI", 1, 12345) + b"stale.png"
    extra = struct.pack("<HH", 0x7075, len(stale)) + stale
    yield OddArchive(
        "unicode-path-stale.zip", by_hand([Entry(b"right.png", data, extra=extra)]),
        (("right.png", data),),
    )  # fmt: skip
    same = [Entry(b"a.png", b"first"), Entry(b"a.png", b"second")]
    yield OddArchive("same-name.zip", by_hand(same), ((None, b"first"), (None, b"second")))
    unnamed = [Entry(b"", data), Entry("\u202egpj.png".encode(), data)]
    yield OddArchive("unnamed.zip", by_hand(unnamed), ((None, data), (None, data)))
    back = [Entry(b"folder\\one.png", data)]
    yield OddArchive("backslash.zip", by_hand(back), (("folder/one.png", data),))


def _broken() -> Iterator[OddArchive]:
    one, two = Entry(b"one.png", content("one.png")), Entry(b"two.png", content("two.png"))
    wrong = Entry(b"one.png", one.data, crc=1)
    right = (("one.png", None), ("two.png", two.data))
    yield OddArchive("wrong-checksum.zip", by_hand([wrong, two]), right)
    packed = zlib.compress(one.data, wbits=-15)
    broken = Entry(b"one.png", one.data, 8, packed[:300] + b"\xff" * 40 + packed[340:])
    yield OddArchive("noise-in-member.zip", by_hand([broken, two]), right)
    longer = Entry(b"one.png", one.data + b"more", 8, packed)
    yield OddArchive("false-size.zip", by_hand([longer, two]), right)
    whole = zipped(THREE)
    yield OddArchive("cut.zip", whole[: len(whole) // 2], error=CORRUPT)
    yield OddArchive("no-directory.zip", whole[:-22], error=CORRUPT)
    begin = whole.index(b"PK\1\2")
    torn = whole[:begin] + b"\xff\xff\xff\xff" + whole[begin + 4 :]
    yield OddArchive("directory-broken.zip", torn, error=CORRUPT)
    data = bytearray(by_hand([one, two]))
    second = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, second + 42, 10)
    yield OddArchive("overlapping.zip", bytes(data), error=CORRUPT)
