"""Damage and noise raise nothing but archive errors."""

import contextlib
import io
import random
import struct
import tarfile
import zipfile
import zlib

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.archives import (
    ArchiveError,
    Limits,
    Member,
    sniff,
    sniff_file,
    walk_tar,
    walk_zip,
)
from tests.unit.jobs.archives.builders import (
    END,
    LIMITS,
    PACKERS,
    SPARSE_FORMATS,
    Raw,
    Unseekable,
    content,
    expanded,
    linked,
    raw_zip,
    resealed,
    seven_zipped,
    sparse_tar,
    tarred,
    zipped,
)

KINDS = [*PACKERS, "7z"]


def swallow(archive):
    """Do everything with it; only an ArchiveError may come out."""
    sniff(archive[:512])
    sniff_file(io.BytesIO(archive))
    for walk in (walk_zip, walk_tar):
        with contextlib.suppress(ArchiveError):
            for member in walk(io.BytesIO(archive), LIMITS):
                if isinstance(member, Member):
                    with contextlib.suppress(ArchiveError):
                        content(archive, member)
    for kind in KINDS:
        with contextlib.suppress(ArchiveError):
            expanded(archive, kind=kind)


def specimens():
    files = {"a.jpg": b"pixels" * 20, "in/" + "b" * 120: random.Random(5).randbytes(50), "c": b""}
    yield zipped(files)
    yield zipped(files, 0, Unseekable(), comment=b"PK\5\6" * 9)
    yield raw_zip([Raw(b"a"), Raw(b"b")], zip64=True)
    yield tarred(files)[:4608] + bytes(1024)
    yield tarred(files, tarfile.GNU_FORMAT)
    yield b"".join(sparse_tar(form) for form in SPARSE_FORMATS) + linked("l", "sparse.bmp") + END
    yield zipped(files, zipfile.ZIP_BZIP2) + zipped(files, zipfile.ZIP_LZMA)
    yield zipped(files, zipfile.ZIP_LZMA)
    for pack in PACKERS.values():
        yield pack(tarred(files))
    yield seven_zipped(files)


@pytest.mark.parametrize("specimen", list(specimens()))
def test_damaged_archives_raise_nothing_but_archive_errors(specimen):
    chance = random.Random(len(specimen))
    for _ in range(400):
        damaged = bytearray(specimen)
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.randrange(len(damaged))
            if chance.random() < 0.2:
                del damaged[at : at + chance.randrange(1, 40)]
            else:
                damaged[at] = chance.choice([0, 0xFF, chance.randrange(256)])
        swallow(bytes(damaged))


@pytest.mark.parametrize("specimen", list(specimens()))
def test_damage_behind_a_right_checksum_raises_nothing_but_archive_errors(specimen):
    """A tar's checksum hides its fields from plain noise: make it right again after the damage."""
    chance = random.Random(6)
    for _ in range(200):
        damaged = bytearray(specimen.ljust(512, b"\0"))
        at = 512 * chance.randrange(len(damaged) // 512)
        for _ in range(3):
            damaged[at + chance.choice([*range(124, 136), 156, 482])] = chance.randrange(256)
        damaged[at : at + 512] = resealed(damaged[at : at + 512])
        swallow(bytes(damaged))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08"]), st.binary(max_size=600))
def test_noise_raises_nothing_but_archive_errors(magic, noise):
    swallow(magic + noise)
    swallow(noise + magic + noise)


def plain_7z(files, filters):
    """A 7z whose header is not packed."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=filters) as archive:
        archive.set_encoded_header_mode(False)
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def resealed_7z(archive):
    """The same with the checksums of its headers made right."""
    archive = bytearray(archive)
    offset, size = struct.unpack_from("<QQ", archive, 12)
    header = bytes(archive[32 + offset : 32 + offset + size])
    archive[28:32] = struct.pack("<I", zlib.crc32(header))
    archive[8:12] = struct.pack("<I", zlib.crc32(bytes(archive[12:32])))
    return bytes(archive)


@pytest.mark.parametrize("method", ["LZMA2", "LZMA", "COPY", "DEFLATE"])
def test_a_damaged_header_of_a_7z_raises_nothing_but_archive_errors(method):
    files = {"a.jpg": b"pixels" * 20, "b.png": b"", "c" * 99: random.Random(5).randbytes(50)}
    specimen = plain_7z(files, [{"id": getattr(py7zr, f"FILTER_{method}")}])
    start = 32 + struct.unpack_from("<Q", specimen, 12)[0]
    chance = random.Random(7)
    read = 0
    for _ in range(500):
        damaged = bytearray(specimen)
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.randrange(start, len(damaged))
            damaged[at] = chance.choice([0, 0xFF, 0x80, chance.randrange(256)])
        with contextlib.suppress(ArchiveError):
            expanded(resealed_7z(damaged), kind="7z", limits=Limits(max_total_bytes=2**26))
            read += 1
    assert 0 < read < 500
