"""What a file is, and what is found in a zip."""

import gzip
import io
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.archives import (
    sniff,
    walk_tar,
    walk_zip,
)
from tests.unit.jobs.archives.builders import (
    FILES,
    LIMITS,
    MIB,
    Raw,
    Unseekable,
    content,
    contents,
    names,
    raw_zip,
    resealed,
    skipped,
    tarred,
    walked,
    zipped,
)


def test_a_file_is_known_by_its_first_bytes():
    assert sniff(zipped({"a": b"1"})[:512]) == "zip"
    assert sniff(zipped({})) == "zip"
    assert sniff(tarred({"a": b"1"})[:512]) == "tar"
    assert sniff(gzip.compress(b"1")) == "gzip"
    for other in (
        b"",
        b"\xff\xd8\xff\xe0JFIF",
        b"\x89PNG\r\n\x1a\n",
        bytes(512),
        b"7" * 512,
        b"9" * 512,
    ):
        assert sniff(other) == "other"


def test_a_tar_older_than_ustar_is_known_by_its_checksum():
    archive = tarred({"a": b"1"}, tarfile.USTAR_FORMAT)
    old = resealed(archive[:257] + bytes(255)) + archive[512:]
    assert sniff(old[:512]) == "tar"
    assert sniff(old[:200]) == "other"
    assert contents(walk_tar, old) == {"a": b"1"}


@settings(max_examples=150, deadline=None)
@given(FILES, st.sampled_from([0, 8]), st.booleans(), st.booleans())
def test_every_zip_that_zipfile_writes_is_read_back(files, method, streamed, force_zip64):
    out = Unseekable() if streamed else None
    archive = zipped(files, method, out, force_zip64=force_zip64)
    assert contents(walk_zip, archive) == files
    assert names(walk_zip, archive) == list(files)


def test_a_zip64_directory_is_read():
    archive = raw_zip([Raw(b"a"), Raw(b"b", b"other")], zip64=True)
    assert zipfile.ZipFile(io.BytesIO(archive)).read("b") == b"other"
    assert contents(walk_zip, archive) == {"a": b"pixels", "b": b"other"}


def test_members_come_in_the_order_of_the_directory_wherever_they_lie():
    one, two = Raw(b"one", offset=36), Raw(b"two", b"22", offset=0)
    archive = raw_zip([one, two])
    first, second = archive[:39], archive[39:74]
    archive = second + first[: len(first)] + archive[74:]
    directory = archive.replace(struct.pack("<I", 36), struct.pack("<I", 35))
    assert contents(walk_zip, directory) == {"one": b"pixels", "two": b"22"}
    assert names(walk_zip, directory) == ["one", "two"]


LIKE_AN_END = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)


@pytest.mark.parametrize("comment", [b"", b"by hand", b"PK\5\6 is no end" * 3, LIKE_AN_END])
def test_a_zip_behind_a_program_and_with_a_comment_is_read(comment):
    archive = b"#!/bin/sh\n" * 99 + zipped({"a": b"1", "b": b"2"}, comment=comment)
    assert contents(walk_zip, archive) == {"a": b"1", "b": b"2"}


def test_an_empty_archive_has_no_members():
    assert walked(walk_zip, zipped({})) == []
    assert walked(walk_tar, tarred({})) == []


@pytest.mark.parametrize(("walk", "pack"), [(walk_zip, zipped), (walk_tar, tarred)])
def test_what_the_operating_system_left_behind_is_no_member(walk, pack):
    left = ("__MACOSX/._a.jpg", "in/__MACOSX/b", "._b", "in/._c", "in/.DS_Store", "in/Thumbs.db")
    left += ("Icon␍", "in/.localized", "p/@eaDir/a.jpg/SYNO.jpg", "Desktop.ini")
    kept = ("a.jpg", "my__MACOSX/b.jpg", "x._y", "Thumbs.db.png")
    archive = pack(dict.fromkeys(left + kept, b""))
    assert names(walk, archive) == list(kept)
    assert skipped(walk, archive) == [(name, "system_file") for name in left]


def test_links_and_devices_in_a_zip_are_told_and_folders_are_not():
    kinds = [0o120777, 0o060600, 0o020600, 0o010600, 0o040755]
    special = [Raw(b"s%d" % kind, external=kind << 16) for kind in kinds]
    archive = raw_zip([Raw(b"in/"), Raw(b"win\\"), *special, Raw(b"a", external=0o100644 << 16)])
    assert names(walk_zip, archive) == ["a"]
    told = ["symlink", "device", "device", "device"]
    assert [reason for _, reason in skipped(walk_zip, archive)] == told


def test_a_hostile_name_is_a_harmless_label_and_names_stay_apart():
    hostile = [b"../../etc/passwd", b"/etc/passwd", b"C:\\x.jpg", b"a\0b", b"a\nb", b"a\x7fb"]
    hostile += [b"caf\x82", b"caf\x81", "caf\u00e9".encode(), b"a\xc2\x85b", b""]
    expected = ["../../etc/passwd", "/etc/passwd", "C:/x.jpg", "a␀b", "a␊b", "a␡b"]
    expected += ["café", "cafü", "café", "a\\x85b", "unnamed-11"]
    assert names(walk_zip, raw_zip([Raw(name) for name in hostile])) == expected


def test_the_caller_may_move_the_file_between_two_members():
    files = {f"{index}.jpg": b"x" * 600 for index in range(50)}
    for walk, pack in ((walk_zip, zipped), (walk_tar, tarred)):
        file = io.BytesIO(pack(files))
        found = []
        for member in walk(file, LIMITS):
            file.seek(7)
            found.append(member.name)
        assert found == list(files)


def test_a_gap_after_a_member_is_not_read_with_it():
    archive = raw_zip([Raw(gap=bytes(MIB)), Raw(b"b")])
    first, second = walked(walk_zip, archive)
    assert first.length < 200_000
    assert content(archive, first) == content(archive, second) == b"pixels"
