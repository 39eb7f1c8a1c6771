"""Tars that are compressed as a whole, 7z among them, and what each kind of file is known by."""

import bz2
import io
import lzma
import random
import struct
import tarfile

import py7zr
import pytest
from backports import zstd

from jobs.archives import Limits, expand, sniff, sniff_file, walk_tar
from tests.unit.jobs.archives.builders import (
    LIMITS,
    MIB,
    PACKERS,
    contents,
    expanded,
    names,
    peak_of,
    refusal,
    seven_zipped,
    skipped,
    tarred,
    zipped,
)

KINDS = [kind for kind in PACKERS if kind != "gzip"]
FILES = {
    "a/é.jpg": random.Random(1).randbytes(MIB),
    "empty.png": b"",
    "b.bmp": b"x" * MIB,
    "long/" * 60 + "c.jpg": b"12",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_tar_becomes_the_tar_it_was(kind):
    tar = tarred(FILES)
    stream = PACKERS[kind](tar)
    assert sniff(stream[:512]) == kind
    chunks = expanded(stream, kind=kind)
    assert b"".join(chunks) == tar
    assert max(map(len, chunks)) <= MIB
    assert b"".join(expanded(stream * 2, kind=kind)) == tar * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_tar_cut_anywhere_is_refused(kind):
    stream = PACKERS[kind](random.Random(2).randbytes(500))
    for cut in range(1, len(stream), 7):
        refusal("corrupt_archive", expanded, stream[:cut], LIMITS, kind)
        refusal("corrupt_archive", expanded, stream + stream[:cut], LIMITS, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_stopped_early_and_in_little_memory(kind):
    file = io.BytesIO(PACKERS[kind](bytes(16 * MIB)) * 40)
    written = 0

    def expand_all():
        nonlocal written
        for chunk in expand(kind, file, LIMITS):
            written += len(chunk)

    assert peak_of(refusal, "archive_too_large", expand_all) < 16 * MIB
    assert written <= 50 * MIB


def test_a_stream_whose_window_takes_too_much_memory_is_refused():
    huge = zstd.CompressionParameter.window_log
    packer = zstd.ZstdCompressor(options={huge: 28})
    stream = packer.compress(random.Random(3).randbytes(3 * MIB)) + packer.flush()
    assert "window" in refusal("unsupported_archive", expanded, stream, LIMITS, "zstd")
    stream = lzma.compress(b"1", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}])
    assert "window" in refusal("unsupported_archive", expanded, stream, LIMITS, "xz")


@pytest.mark.parametrize("kind", [*KINDS, "7z"])
def test_a_sign_of_life_is_given_while_a_stream_is_read(kind):
    signs = []
    tar = tarred({"a": random.Random(4).randbytes(3 * MIB)})
    stream = seven_zipped({"a": tar}) if kind == "7z" else PACKERS[kind](tar)
    expanded(stream, LIMITS, kind, lambda: signs.append(1))
    assert len(signs) >= 3


SEVEN_ZIPS = {
    "default": None,
    "stored": [{"id": py7zr.FILTER_COPY}],
    "LZMA": [{"id": py7zr.FILTER_LZMA}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "Zstandard": [{"id": py7zr.FILTER_ZSTD}],
    "delta": [{"id": py7zr.FILTER_DELTA, "dist": 4}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "x86": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
}


@pytest.mark.parametrize("method", SEVEN_ZIPS)
def test_a_7z_becomes_a_tar_of_its_files(method):
    archive = seven_zipped(FILES, SEVEN_ZIPS[method])
    assert sniff(archive[:512]) == "7z"
    chunks = expanded(archive, kind="7z")
    assert max(map(len, chunks)) <= MIB
    tar = b"".join(chunks)
    assert contents(walk_tar, tar) == FILES
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert {info.name: opened.extractfile(info).read() for info in opened} == FILES


def test_folders_of_a_7z_are_left_out_and_links_are_told(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"1")
    (tmp_path / "in" / "empty").write_bytes(b"")
    (tmp_path / "in" / "link.jpg").symlink_to("a.jpg")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writeall(tmp_path / "in", "in")
    tar = b"".join(expanded((tmp_path / "a.7z").read_bytes(), kind="7z"))
    assert contents(walk_tar, tar) == {"in/a.jpg": b"1", "in/empty": b""}
    assert skipped(walk_tar, tar) == [("in/link.jpg", "symlink")]


@pytest.mark.parametrize(
    ("filters", "password", "named"),
    [
        (None, "secret", "encrypted"),
        ([{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}], None, "PPMd"),
        ([{"id": py7zr.FILTER_BROTLI, "level": 1}], None, "Brotli"),
    ],
)
def test_a_7z_that_cannot_be_read_is_refused_by_what_it_is(filters, password, named):
    archive = seven_zipped({"a": b"1" * 99}, filters, password)
    chunks = expand("7z", io.BytesIO(archive), LIMITS)
    assert named in refusal("unsupported_archive", next, chunks)


def test_a_7z_whose_list_of_files_is_encrypted_is_refused_as_encrypted():
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password="secret", header_encryption=True) as archive:
        archive.writestr(b"1", "a")
    message = refusal("unsupported_archive", expanded, out.getvalue(), LIMITS, "7z")
    assert "encrypted" in message


def test_a_7z_with_one_wrong_bit_is_refused():
    archive = bytearray(seven_zipped({"a": bytes(range(256)) * 9}, SEVEN_ZIPS["stored"]))
    archive[100] ^= 1
    assert "'a'" in refusal("corrupt_archive", expanded, bytes(archive), LIMITS, "7z")


def test_a_7z_cut_anywhere_is_refused():
    archive = seven_zipped({"a": b"12345" * 50, "b": b"1"})
    for cut in range(6, len(archive), 5):
        refusal("corrupt_archive", expanded, archive[:cut], LIMITS, "7z")


def test_a_7z_bomb_is_refused_before_anything_is_written():
    archive = seven_zipped({"a": bytes(40 * MIB)})
    chunks = expand("7z", io.BytesIO(archive), LIMITS)
    assert "bomb" in refusal("archive_too_large", next, chunks)
    chunks = expand("7z", io.BytesIO(archive), Limits(max_total_bytes=MIB))
    refusal("archive_too_large", next, chunks)


def test_a_7z_is_expanded_in_bounded_memory():
    data = random.Random(5).randbytes(MIB) * 24
    archive = seven_zipped({"a": data, "b": b"1"}, [{"id": py7zr.FILTER_DEFLATE}])
    written = []
    source = expand("7z", io.BytesIO(archive), LIMITS)
    assert peak_of(lambda: written.extend(len(chunk) for chunk in source)) < 8 * MIB
    assert sum(written) > 24 * MIB


def test_what_is_not_read_is_refused_by_its_name():
    for head, name in (
        (b"Rar!\x1a\x07\x01\x00", "RAR"),
        (b"LZIP\x01", "lzip"),
        (b"\x1f\x9d\x90", "compress"),
        (b"\x5d\x00\x00\x80\x00" + b"\xff" * 8, "LZMA"),
    ):
        kind = sniff(head + bytes(500))
        assert name in refusal("unsupported_archive", expand, kind, io.BytesIO(head), LIMITS)


def test_compressed_files_are_known_by_their_first_bytes():
    assert sniff(bz2.compress(b"")) == "bzip2"
    assert sniff(struct.pack("<2I", 0x184D2A53, 4) + bytes(4)) == "zstd"
    assert sniff(b"BZh9 is no bzip2") == "other"
    for marker in (b"PK00", b"PK\7\x08"):
        assert sniff(marker + zipped({"a": b"1"})) == "zip"


def test_a_self_extracting_zip_is_known_by_its_end_and_a_picture_stays_a_picture():
    archive = zipped({"a.jpg": b"1"})
    for program in (b"MZ" + bytes(9000), b"#!/bin/sh\nexit\n", b"\x7fELF" + bytes(70_000)):
        file = io.BytesIO(program + archive)
        assert sniff_file(file) == "zip"
        assert file.tell() == 0
    assert sniff_file(io.BytesIO(b"MZ" + bytes(900))) == "other"
    assert sniff_file(io.BytesIO(b"\xff\xd8\xff\xe0" + bytes(900) + archive)) == "other"
    assert sniff_file(io.BytesIO(tarred({"a": b"1"}))) == "tar"


def test_a_zip_behind_the_mark_of_a_split_one_is_walked():
    from jobs.archives import walk_zip

    assert names(walk_zip, b"PK00" + zipped({"a.jpg": b"1", "b.jpg": b"2"})) == ["a.jpg", "b.jpg"]
