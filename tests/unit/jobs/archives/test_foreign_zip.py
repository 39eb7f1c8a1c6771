"""Zip members that were compressed by other methods than deflate."""

import bz2
import lzma
import random
import zipfile
import zlib

import inflate64
import pytest
from backports import zstd

from jobs.archives import extract_stream, walk_zip
from tests.unit.jobs.archives.builders import (
    MIB,
    Raw,
    Unseekable,
    content,
    contents,
    peak_of,
    raw_zip,
    refusal,
    walked,
    zipped,
)


def deflate64(data):
    packer = inflate64.Deflater()
    return packer.deflate(data) + packer.flush()


PACKED = {9: deflate64, 12: bz2.compress, 20: zstd.compress, 93: zstd.compress, 95: lzma.compress}
DATA = random.Random(7).randbytes(400_000) + bytes(300_000) + b"end"


def member_of(method, data, **lies):
    archive = bytearray(raw_zip([Raw(packed=PACKED[method](data), method=method, **lies)]))
    crc = zlib.crc32(data).to_bytes(4, "little")
    archive[14:18] = crc
    (member,) = walked(walk_zip, bytes(archive))
    return bytes(archive), member


@pytest.mark.parametrize("method", PACKED)
def test_a_member_is_read_whatever_it_is_compressed_with(method):
    for data in (DATA, b"", b"x"):
        archive, member = member_of(method, data, size=len(data))
        assert member.fault is None
        assert content(archive, member) == data
        held = archive[: member.length]
        parts = [held[at : at + 999] for at in range(0, len(held), 999)]
        assert b"".join(extract_stream(parts, member.size)) == data


@pytest.mark.parametrize("method", PACKED)
def test_a_member_that_lies_about_its_size_or_has_a_wrong_bit_is_refused(method):
    for size in (len(DATA) - 1, len(DATA) + 1, 0):
        archive, member = member_of(method, DATA, size=size)
        refusal("corrupt_archive", content, archive, member)
    archive, member = member_of(method, DATA, size=len(DATA))
    broken = bytearray(archive)
    broken[member.offset + 300_000] ^= 1
    refusal("corrupt_archive", content, bytes(broken), member)
    for cut in range(0, member.length, 50_001):
        refusal("corrupt_archive", content, archive[:cut], member)


@pytest.mark.parametrize("method", PACKED)
def test_a_member_that_becomes_more_than_it_says_takes_little_memory(method):
    archive, member = member_of(method, bytes(64 * MIB), size=1000)
    assert peak_of(refusal, "corrupt_archive", content, archive, member) < 12 * MIB


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_zipfile_packs_with_bzip2_or_lzma_is_read(method, streamed):
    files = {"a.jpg": DATA, "b.jpg": b"", "c.jpg": b"1"}
    archive = zipped(files, method, Unseekable() if streamed else None)
    assert contents(walk_zip, archive) == files


def test_an_lzma_member_without_an_end_mark_is_read_to_its_size():
    archive = bytearray(zipped({"a.jpg": DATA}, zipfile.ZIP_LZMA))
    packed = lzma.compress(DATA, lzma.FORMAT_ALONE)
    assert packed[5:13] == b"\xff" * 8  # with an end mark, which the size makes needless
    raw = b"\x10\x02\x05\x00" + packed[:5] + packed[13:]
    archive = bytearray(raw_zip([Raw(packed=raw, size=len(DATA), method=14)]))
    archive[14:18] = zlib.crc32(DATA).to_bytes(4, "little")
    (member,) = walked(walk_zip, bytes(archive))
    assert content(bytes(archive), member) == DATA


def test_an_lzma_dictionary_of_gigabytes_is_not_allocated():
    packed = lzma.compress(b"pixels", lzma.FORMAT_ALONE)
    raw = b"\x10\x02\x05\x00" + packed[:1] + b"\xff" * 4 + packed[13:]
    archive = bytearray(raw_zip([Raw(packed=raw, size=6, method=14)]))
    archive[14:18] = zlib.crc32(b"pixels").to_bytes(4, "little")
    (member,) = walked(walk_zip, bytes(archive))
    assert content(bytes(archive), member) == b"pixels"
