"""Archives to be walked, sound and hostile, and what a walk gives."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from dataclasses import dataclass

import py7zr
import pyarrow as pa
import pytest
from backports import zstd
from hypothesis import strategies as st

from jobs.archives import (
    ArchiveError,
    Limits,
    Member,
    Skipped,
    expand,
    extract,
)

MIB = 1024 * 1024
LIMITS = Limits()
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), min_size=1
)
FILES = st.dictionaries(
    NAMES.map(lambda name: f"f{name}.jpg".replace("\\", "_").replace("/", "_")),
    st.binary(max_size=300),
    max_size=6,
)


def told(walk, archive, limits=LIMITS):
    return list(walk(io.BytesIO(archive), limits))


def walked(walk, archive, limits=LIMITS):
    return [each for each in told(walk, archive, limits) if isinstance(each, Member)]


def skipped(walk, archive, limits=LIMITS):
    found = [each for each in told(walk, archive, limits) if isinstance(each, Skipped)]
    return [(each.name, each.reason) for each in found]


def names(walk, archive, limits=LIMITS):
    return [member.name for member in walked(walk, archive, limits)]


def content(archive, member, max_bytes=MIB):
    read = memoryview(archive)[member.offset : member.offset + member.length]
    return extract(read, member.encoding, max_bytes, member.size)


def contents(walk, archive):
    return {member.name: content(archive, member) for member in walked(walk, archive)}


def refusal(code, do, *args):
    with pytest.raises(ArchiveError) as caught:
        do(*args)
    assert caught.value.code == code
    return str(caught.value)


class Unseekable(io.BytesIO):
    """Makes zipfile write sizes and checksums behind the data."""

    def seekable(self):
        return False

    def tell(self):
        raise OSError("a pipe has no position")

    def seek(self, *args):
        raise OSError("a pipe has no position")


def zipped(files, method=zipfile.ZIP_DEFLATED, out=None, comment=b"", force_zip64=False):
    out = io.BytesIO() if out is None else out
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = comment
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=force_zip64) as member:
                member.write(data)
    return out.getvalue()


def tarred(files, tar_format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@dataclass
class Raw:
    """A zip member with every field free to lie."""

    name: bytes = b"a.jpg"
    packed: bytes = b"pixels"
    size: int | None = None  # as declared, the truth by default
    packed_size: int | None = None
    method: int = 0
    flags: int = 0
    external: int = 0
    offset: int | None = None
    gap: bytes = b""  # after the data


def raw_zip(members, zip64=False, count=None, disk=0):
    body, directory = bytearray(), bytearray()
    for raw in members:
        offset = len(body) if raw.offset is None else raw.offset
        size = len(raw.packed) if raw.size is None else raw.size
        packed = len(raw.packed) if raw.packed_size is None else raw.packed_size
        crc = zlib.crc32(raw.packed)
        sizes = (size, packed, offset)
        extra = struct.pack("<HH3Q", 1, 24, *sizes) if zip64 else b""
        size, packed, offset = (0xFFFFFFFF,) * 3 if zip64 else sizes
        body += struct.pack(
            "<4s5H3I2H", b"PK\3\4", 45, raw.flags, raw.method, 0, 0, crc, packed, size,
            len(raw.name), 0,
        )  # fmt: skip
        body += raw.name + raw.packed + raw.gap
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 0x031E, 45, raw.flags, raw.method, 0, 0, crc, packed, size,
            len(raw.name), len(extra), 0, 0, 0, raw.external, offset,
        )  # fmt: skip
        directory += raw.name + extra
    count, end = len(members) if count is None else count, b""
    if zip64:
        end = struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body)
        )
        end += struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    short = min(count, 0xFFFF)
    where = (0xFFFFFFFF, 0xFFFFFFFF) if zip64 else (len(directory), len(body))
    end += struct.pack("<4s4H2IH", b"PK\5\6", disk, disk, short, short, *where, 0)
    return bytes(body + directory + end)


def resealed(header):
    """The header with the checksum that it ought to have."""
    header = bytearray(header[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def deflated(data):
    return zlib.compress(data, 9, -15)


def peak_of(do, *args):
    tracemalloc.start()
    try:
        do(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def special(kind, name="special", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "/etc/passwd", size
    return info.tobuf()


# A sparse file, as (first byte, data); its last kilobytes are a hole.
PIECES = [(512, b"1" * 512), (3000, b"2" * 700), (9000, b"3"), (20_000, b"4" * 512),
          (30_000, b"5" * 1024), (40_000, b"6" * 10)]  # fmt: skip
SPARSE_SIZE = 50_000
SPARSE_FORMATS = ["gnu", "0.0", "0.1", "1.0"]


def sparse_content(pieces=PIECES, size=SPARSE_SIZE):
    content = bytearray(size)
    for offset, data in pieces:
        content[offset : offset + len(data)] = data
    return bytes(content)


def sparse_tar(form, name="sparse.bmp", pieces=PIECES, size=SPARSE_SIZE):
    """One sparse member, without an end mark."""
    info = tarfile.TarInfo(name)
    data = b"".join(data for _, data in pieces)
    numbers = [number for offset, data in pieces for number in (offset, len(data))]
    if form == "gnu":
        return gnu_sparse(info, numbers, data, size)
    records = {"GNU.sparse.size": str(size), "GNU.sparse.numblocks": str(len(pieces))}
    extra = b""
    if form == "0.1":
        records |= {"GNU.sparse.map": ",".join(map(str, numbers)), "GNU.sparse.name": name}
    elif form == "0.0":
        for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
            extra += pax_record(b"GNU.sparse.offset", offset)
            extra += pax_record(b"GNU.sparse.numbytes", length)
    else:
        records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        records |= {"GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
        listed = "".join(f"{number}\n" for number in [len(pieces), *numbers]).encode()
        data = listed + bytes(-len(listed) % 512) + data
        info.name = "GNUSparseFile.0/" + name
    payload = b"".join(pax_record(key.encode(), value) for key, value in records.items()) + extra
    info.size = len(data)
    header = info.tobuf(tarfile.USTAR_FORMAT)
    return extended(b"x", payload) + header + data + bytes(-len(data) % 512)


def gnu_sparse(info, numbers, data, size):
    """The old format: four pieces in the header, 21 in each block after it."""
    info.type, info.size = tarfile.GNUTYPE_SPARSE, len(data)
    fields = [b"%011o\0" % number for number in numbers]
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:482] = b"".join(fields[:8]).ljust(96, b"\0")
    rest = [fields[at : at + 42] for at in range(8, len(fields), 42)]
    header[482], header[483:495] = bool(rest), b"%011o\0" % size
    blocks = b"".join(b"".join(block).ljust(504, b"\0") + b"\1" + bytes(7) for block in rest)
    blocks = blocks[:-8] + bytes(8) if rest else b""
    return resealed(header) + blocks + data + bytes(-len(data) % 512)


def pax_record(key, value):
    body = b" %s=%s\n" % (key, str(value).encode())
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def extended(kind, payload, size=None):
    info = tarfile.TarInfo("extended")
    info.type, info.size = kind, len(payload) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT) + payload + bytes(-len(payload) % 512)


def linked(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.LNKTYPE, target
    return info.tobuf(tarfile.GNU_FORMAT)


def entry(name, data=b""):
    """One member, without an end mark."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)


END = bytes(1024)


def lz4(data):
    return pa.compress(data, "lz4", asbytes=True)


PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "lz4": lz4,
}


def seven_zipped(files, filters=None, password=None):
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=filters, password=password) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def expanded(stream, limits=LIMITS, kind="gzip", beat=lambda: None):
    return list(expand(kind, io.BytesIO(stream), limits, beat))
