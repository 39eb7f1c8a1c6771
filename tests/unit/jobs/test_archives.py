"""Archives: what is found, what is refused, and what nothing hostile can do."""

import contextlib
import gzip
import io
import random
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.archives import (
    ArchiveError,
    Limits,
    expand_gzip,
    extract,
    extract_stream,
    sniff,
    walk_tar,
    walk_zip,
)

MIB = 1024 * 1024
LIMITS = Limits()
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1)
FILES = st.dictionaries(
    NAMES.map(lambda name: f"f{name}.jpg".replace("\\", "_").replace("/", "_")),
    st.binary(max_size=300),
    max_size=6,
)


def walked(walk, archive, limits=LIMITS):
    return list(walk(io.BytesIO(archive), limits))


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


# --- what a file is --------------------------------------------------------------------------


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


# --- zip: what is found ------------------------------------------------------------------------


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
    kept = ("a.jpg", "my__MACOSX/b.jpg", "x._y", "Thumbs.db.png")
    assert names(walk, pack(dict.fromkeys(left + kept, b""))) == list(kept)


def test_folders_links_and_devices_in_a_zip_are_no_members():
    kinds = [0o120777, 0o060600, 0o020600, 0o010600, 0o040755]
    special = [Raw(b"s%d" % kind, external=kind << 16) for kind in kinds]
    archive = raw_zip([Raw(b"in/"), Raw(b"win\\"), *special, Raw(b"a", external=0o100644 << 16)])
    assert names(walk_zip, archive) == ["a"]


def test_a_hostile_name_is_a_harmless_label_and_names_stay_apart():
    hostile = [b"../../etc/passwd", b"/etc/passwd", b"C:\\x.jpg", b"a\0b", b"a\nb", b"a\x7fb"]
    hostile += [b"caf\x82", b"caf\x81", "caf\u00e9".encode(), b"a\xc2\x85b", b""]
    expected = ["../../etc/passwd", "/etc/passwd", "C:/x.jpg", "a␀b", "a␊b", "a␡b"]
    expected += ["café", "cafü", "café", "a\\x85b", ""]
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


# --- zip: what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [0x0001, 0x0041, 0x2000])
def test_an_encrypted_zip_is_refused(flag):
    archive = raw_zip([Raw(flags=flag)])
    assert "'a.jpg' in the zip is encrypted" in refusal(
        "unsupported_archive", walked, walk_zip, archive
    )


@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")]
)
def test_an_unknown_compression_is_refused_by_its_name(method, name):
    archive = zipped({"a.jpg": b"1"}, method)
    message = refusal("unsupported_archive", walked, walk_zip, archive)
    assert f"'a.jpg' in the zip is compressed with {name}" in message


def test_what_is_no_member_may_be_packed_in_any_way():
    archive = raw_zip([Raw(b"in/", flags=1), Raw(b"._a", method=12), Raw(b"a")])
    assert names(walk_zip, archive) == ["a"]


def test_a_part_of_a_split_zip_is_refused():
    archive = raw_zip([Raw()], disk=2)
    assert "part 3 of a split" in refusal("unsupported_archive", walked, walk_zip, archive)


def test_two_entries_for_the_same_bytes_are_refused():
    archive = raw_zip([Raw(b"a"), Raw(b"b", offset=0)])
    assert "overlap" in refusal("corrupt_archive", walked, walk_zip, archive)


def test_an_entry_that_reaches_into_the_next_is_refused():
    archive = raw_zip([Raw(b"a", packed_size=7), Raw(b"b")])
    assert "overlap" in refusal("corrupt_archive", walked, walk_zip, archive)


@pytest.mark.parametrize("lie", [{"offset": 9999}, {"packed_size": 9999}, {"offset": 2**31}])
def test_an_entry_that_points_outside_the_zip_is_refused(lie):
    message = refusal("corrupt_archive", walked, walk_zip, raw_zip([Raw(**lie)]))
    assert "'a.jpg'" in message


def test_numbers_of_64_bits_are_refused_without_overflow():
    top = 2**64 - 1
    for lie in ({"offset": top}, {"packed_size": top}, {"offset": 2**63 - 1, "packed_size": top}):
        refusal("corrupt_archive", walked, walk_zip, raw_zip([Raw(**lie)], zip64=True))
    huge = raw_zip([Raw(size=top)], zip64=True)
    refusal("archive_too_large", walked, walk_zip, huge)


def test_a_directory_with_fewer_entries_than_declared_is_refused():
    archive = raw_zip([Raw()], count=2)
    assert "declares 2 entries and has 1" in refusal("corrupt_archive", walked, walk_zip, archive)


def test_a_directory_entry_that_is_cut_short_is_refused():
    archive = raw_zip([Raw()]).replace(b"\5\0\0\0\0\0", b"\x09\0\0\0\0\0")
    assert "Entry 1 of" in refusal("corrupt_archive", walked, walk_zip, archive)
    archive = (
        raw_zip([Raw(), Raw(b"bc")]).replace(b"PK\1\2", b"PK\1\3").replace(b"\1\3", b"\1\2", 1)
    )
    assert "Entry 2 of" in refusal("corrupt_archive", walked, walk_zip, archive)


def test_a_bomb_is_refused_before_its_first_member_leaves():
    zeros = deflated(bytes(8 * MIB))
    archive = raw_zip([Raw(b"%d" % i, zeros, size=8 * MIB, method=8) for i in range(5)])
    walk = walk_zip(io.BytesIO(archive), LIMITS)
    assert "decompression bomb" in refusal("archive_too_large", next, walk)
    assert len(walked(walk_zip, archive, Limits(max_ratio=2000))) == 5


def test_a_small_archive_of_blank_images_is_no_bomb():
    assert len(walked(walk_zip, zipped({"blank.bmp": bytes(16 * MIB)}))) == 1


@pytest.mark.parametrize(("walk", "pack"), [(walk_zip, zipped), (walk_tar, tarred)])
def test_count_and_total_have_limits(walk, pack):
    archive = pack({"a": bytes(10), "b": bytes(10)})
    assert len(walked(walk, archive, Limits(max_members=2, max_total_bytes=20))) == 2
    refusal("archive_too_large", walked, walk, archive, Limits(max_members=1))
    refusal("archive_too_large", walked, walk, archive, Limits(max_total_bytes=19))


@pytest.mark.parametrize(("walk", "pack"), [(walk_zip, zipped), (walk_tar, tarred)])
def test_a_member_that_is_too_large_costs_itself_and_not_the_archive(walk, pack):
    archive = pack({"huge": bytes(1000), "small": b"1"})
    huge, small = walked(walk, archive, Limits(max_member_bytes=999))
    assert "1,000 bytes" in refusal("archive_too_large", content, archive, huge, 999)
    assert content(archive, small, 999) == b"1"


def test_a_zip_cut_anywhere_is_refused():
    archive = zipped({f"{index}.jpg": b"pixels" * index for index in range(9)})
    for cut in range(len(archive)):
        refusal("corrupt_archive", walked, walk_zip, archive[:cut])
    assert "at byte -1," in refusal("corrupt_archive", walked, walk_zip, archive[1:])


# --- one member ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("streamed", [False, True])
def test_one_wrong_bit_in_a_member_is_found(method, streamed):
    pixels = random.Random(1).randbytes(500)
    archive = bytearray(zipped({"a": pixels}, method, Unseekable() if streamed else None))
    (member,) = walked(walk_zip, bytes(archive))
    assert content(archive, member) == pixels
    archive[member.offset + 200] ^= 1
    refusal("corrupt_archive", content, archive, member)


def test_a_descriptor_without_its_signature_is_read():
    archive = zipped({"a": b"pixels"}, 0, Unseekable())
    (member,) = walked(walk_zip, archive)
    head, tail = archive[: member.length - 16], archive[member.length - 12 : member.length]
    assert extract(head + tail, "zip", MIB, 6) == b"pixels"
    refusal("corrupt_archive", extract, head + bytes(12), "zip", MIB, 6)
    assert "descriptor" in refusal("corrupt_archive", extract, head, "zip", MIB, 6)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("size", [5, 7, 10**6])
def test_a_member_that_lies_about_its_size_is_refused(method, size):
    packed = deflated(b"pixels") if method else b"pixels"
    archive = raw_zip([Raw(packed=packed, size=size, method=method)])
    (member,) = walked(walk_zip, archive)
    message = refusal("corrupt_archive", content, archive, member)
    assert ("more than the 5 bytes" in message) == (method == 8 and size == 5)


def test_a_member_cut_anywhere_is_refused():
    for method in (0, 8):
        archive = zipped({"a": b"some pixels" * 9}, method)
        (member,) = walked(walk_zip, archive)
        for cut in range(member.length):
            refusal("corrupt_archive", extract, archive[:cut], "zip", MIB, member.size)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_member_that_is_read_in_parts_is_the_same_wherever_they_are_cut(method, streamed, step):
    pixels = random.Random(1).randbytes(500) + bytes(3000)
    archive = zipped({"a": pixels}, method, Unseekable() if streamed else None)
    (member,) = walked(walk_zip, archive)
    read = archive[member.offset : member.offset + member.length]
    parts = [read[start : start + step] for start in range(0, len(read), step)]
    assert b"".join(extract_stream(parts, member.size)) == pixels
    for cut in range(0, len(parts), max(1, len(parts) // 40)):
        short = [part for number, part in enumerate(parts) if number < cut]
        refusal("corrupt_archive", lambda: list(extract_stream(short, member.size)))  # noqa: B023


def test_a_large_member_is_inflated_in_bounded_memory():
    archive = zipped({"a": bytes(64 * MIB)}, 8)
    (member,) = walked(walk_zip, archive, Limits(max_ratio=2000))

    def longest():
        parts = extract_stream([archive[member.offset :]], member.size)
        return max(len(part) for part in parts)

    assert longest() <= MIB


def test_a_raw_member_is_what_was_read_and_nothing_less():
    assert extract(memoryview(b"pixels"), "raw", MIB, 6) == b"pixels"
    assert "5 bytes were read" in refusal("corrupt_archive", extract, b"pixel", "raw", MIB, 6)
    refusal("archive_too_large", extract, b"pixels", "raw", 5, 6)


def test_a_local_header_that_differs_from_the_directory_gets_no_further():
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 1, 8, 0, 0, 0, 0, 0, 0, 0)
    refusal("unsupported_archive", extract, header, "zip", MIB, 0)
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 12, 0, 0, 0, 0, 0, 0, 0)
    assert "method 12" in refusal("unsupported_archive", extract, header, "zip", MIB, 0)
    refusal("corrupt_archive", extract, bytes(99), "zip", MIB, 0)


def peak_of(do, *args):
    tracemalloc.start()
    try:
        do(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_member_that_inflates_past_its_size_takes_no_memory():
    bomb = deflated(bytes(64 * MIB))
    archive = raw_zip([Raw(packed=bomb, size=1000, method=8)])
    (member,) = walked(walk_zip, archive)
    assert peak_of(refusal, "corrupt_archive", content, archive, member) < MIB


def test_two_hundred_thousand_members_are_walked_in_little_memory():
    # Old writers let the count wrap at 65,536. Two phases, for tracing all of both takes long.
    archive = raw_zip(
        [Raw(b"%06d.jpg" % index) for index in range(200_000)], count=200_000 % 65_536
    )
    walk = walk_zip(io.BytesIO(archive), LIMITS)
    judging = peak_of(next, walk)
    walking = peak_of(lambda: deque(islice(walk, 50_000), maxlen=0))
    assert judging < 16 * MIB
    assert walking < 4 * MIB
    assert sum(1 for _ in walk) == 149_999


# --- tar ---------------------------------------------------------------------------------------

TAR_FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]


@settings(max_examples=100, deadline=None)
@given(FILES, st.sampled_from(TAR_FORMATS), st.sampled_from(["", "long/" * 80]))
def test_every_tar_that_tarfile_writes_is_read_back(files, tar_format, folder):
    files = {folder + name: data for name, data in files.items()}
    archive = tarred(files, tar_format)
    assert contents(walk_tar, archive) == files
    assert names(walk_tar, archive) == list(files)


def test_a_ustar_name_in_two_parts_is_joined():
    name = "folder/" * 20 + "a.jpg"
    assert names(walk_tar, tarred({name: b"1"}, tarfile.USTAR_FORMAT)) == [name]


def test_the_times_that_gnu_tar_keeps_in_place_of_a_prefix_are_no_name():
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    header[345:357] = b"14712345670\0"
    assert names(walk_tar, resealed(header) + bytes(512)) == ["a.jpg"]


def special(kind, name="special", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, "/etc/passwd", size
    return info.tobuf()


def gnu_sparse(data):
    """A sparse file of GNU tar, whose map of holes takes two more blocks."""
    info = tarfile.TarInfo("sparse")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, len(data)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1
    more, last = bytearray(512), bytes(512)
    more[504] = 1
    return bytes(resealed(header) + more + last + data.ljust(512, b"\0"))


def pax_sparse(data):
    info = tarfile.TarInfo("sparse")
    info.size = len(data)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return info.tobuf(tarfile.PAX_FORMAT) + data.ljust(512, b"\0")


def test_links_devices_folders_and_sparse_files_in_a_tar_are_no_members():
    others = b"".join(special(kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"V"))
    others += special(b"0", "folder/") + gnu_sparse(b"12") + pax_sparse(b"34")
    assert contents(walk_tar, others + tarred({"a": b"1"})) == {"a": b"1"}


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_a_link_with_the_size_of_its_target_has_no_data_behind_it(kind):
    assert names(walk_tar, special(kind, size=9999) + tarred({"a": b"1"})) == ["a"]


@pytest.mark.parametrize("tar_format", TAR_FORMATS)
def test_a_tar_member_of_nine_gigabytes_is_stepped_over(tmp_path: Path, tar_format):
    info, size = tarfile.TarInfo("video.mp4"), 9 * 1024 * MIB
    info.size = size
    path = tmp_path / "big.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tar_format))
        file.truncate(file.tell() + size)
        file.seek(0, 2)
        file.write(tarred({"a": b"1"}))
    with path.open("rb") as file:
        assert [member.size for member in walk_tar(file, LIMITS)] == [size, 1]


def test_a_tar_name_that_is_not_utf_8_is_kept_apart():
    latin = [tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT, "latin-1") for name in ("é", "è")]
    assert names(walk_tar, b"".join(latin) + bytes(1024)) == ["é", "è"]


def test_a_tar_cut_anywhere_is_refused():
    files = {"a": b"1" * 700, "long/" * 30: b"", "b" * 200: b"2"}
    for tar_format in TAR_FORMATS:
        archive = tarred(files, tar_format)
        end_mark = len(archive.rstrip(b"\0")) // 512 * 512 + 512
        for cut in range(0, end_mark + 512, 32):
            refusal("corrupt_archive", walked, walk_tar, archive[:cut])
        assert len(walked(walk_tar, archive[: end_mark + 512])) == 2


class Shrunk(io.BytesIO):
    """A file that has lost its end since its size was asked."""

    def seek(self, offset, whence=0):
        return super().seek(offset, whence) + 2048 * (whence == 2)


def test_a_file_that_shrinks_meanwhile_is_refused():
    archive = tarred({"a": b"1"})[:1024]
    walk = walk_tar(Shrunk(archive), LIMITS)
    assert next(walk).name == "a"
    assert "could not be read" in refusal("corrupt_archive", next, walk)


def test_a_broken_header_in_the_middle_is_no_end():
    archive = bytearray(tarred({"a": b"1", "b": b"2"}, tarfile.GNU_FORMAT))
    archive[1024] ^= 1
    assert "at byte 1,024" in refusal("corrupt_archive", walked, walk_tar, bytes(archive))


def extended(kind, payload, size=None):
    info = tarfile.TarInfo("extended")
    info.type, info.size = kind, len(payload) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT) + payload + bytes(-len(payload) % 512)


@pytest.mark.parametrize(
    "payload",
    [b"nonsense", b"99 path=a\n", b"0 path=a\n", b"-9 path=a\n", b"9 pathxa\n\n", b"10 size=x\n",
     b"12 size=-10\n", b"5011 size=%s\n" % (b"9" * 5000), b"9" * 5000 + b" path=a\n",
     b"11 path=a\n\n12"],
)  # fmt: skip
def test_a_broken_extended_header_is_refused(payload):
    archive = extended(b"x", payload) + tarred({"a": b"1"})
    assert "extended header at byte 0" in refusal("corrupt_archive", walked, walk_tar, archive)


def test_extended_headers_neither_recurse_nor_fill_memory():
    chain = extended(b"L", b"name\0") * 5000 + extended(b"g", b"junk") + extended(b"K", b"link\0")
    assert contents(walk_tar, chain + tarred({"a": b"1"})) == {"name": b"1"}
    greedy = extended(b"L", b"", size=1024 * MIB)
    assert "claims" in refusal("corrupt_archive", walked, walk_tar, greedy + bytes(MIB))


def test_a_tar_size_that_is_no_size_is_refused():
    for bad in (b"-0000000001\0", b"99999999999\0", b"\xff" * 12, b"\x80" + b"\xff" * 11):
        header = bytearray(tarred({"a": b"1"}))
        header[124:136] = bad
        archive = resealed(header) + bytes(header[512:])
        refusal("corrupt_archive", walked, walk_tar, archive)


def test_a_tar_of_many_members_is_walked_in_little_memory():
    walk = walk_tar(io.BytesIO(special(b"0", "a.jpg") * 20_000 + bytes(1024)), LIMITS)
    assert peak_of(lambda: deque(islice(walk, 19_990), maxlen=0)) < MIB // 10
    assert len(list(walk)) == 10


# --- gzip ----------------------------------------------------------------------------------------


def expanded(stream, limits=LIMITS):
    return list(expand_gzip(io.BytesIO(stream), limits))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.integers(0, 600))
def test_gzip_streams_in_a_row_with_padding_are_one_stream(parts, padding):
    stream = b"".join(gzip.compress(part) for part in parts) + bytes(padding)
    chunks = expanded(stream)
    assert b"".join(chunks) == b"".join(parts)
    assert b"" not in chunks


def test_a_tar_gz_becomes_the_tar_it_was_in_chunks_of_a_mebibyte_at_most():
    files = {"a": random.Random(2).randbytes(3 * MIB), "b": bytes(5 * MIB)}
    chunks = expanded(gzip.compress(tarred(files), 1))
    assert {len(chunk) <= MIB for chunk in chunks} == {True}
    archive = b"".join(chunks)
    found = {m.name: content(archive, m, 9 * MIB) for m in walked(walk_tar, archive)}
    assert found == files


def test_a_gzip_stream_cut_anywhere_is_refused():
    stream = gzip.compress(random.Random(3).randbytes(300))
    for cut in range(len(stream)):
        refusal("corrupt_archive", expanded, stream[:cut])
        refusal("corrupt_archive", expanded, stream + stream[: cut or 1])


def test_what_is_no_gzip_is_refused():
    for stream in (b"no gzip at all", gzip.compress(b"1") + b"tail"):
        refusal("corrupt_archive", expanded, stream)


def test_a_gzip_bomb_is_stopped_early_and_in_little_memory():
    one = gzip.compress(bytes(16 * MIB))
    file = io.BytesIO(one * 40)
    written = 0

    def expand():
        nonlocal written
        for chunk in expand_gzip(file, LIMITS):
            written += len(chunk)

    assert peak_of(refusal, "archive_too_large", expand) < 6 * MIB
    assert written <= 33 * MIB


def test_what_a_gzip_stream_expands_to_has_a_limit():
    stream = gzip.compress(random.Random(4).randbytes(1000))
    assert sum(map(len, expanded(stream, Limits(max_total_bytes=1000)))) == 1000
    refusal("archive_too_large", expanded, stream, Limits(max_total_bytes=999))


# --- noise ---------------------------------------------------------------------------------------


def swallow(archive):
    """Do everything with it; only an ArchiveError may come out."""
    sniff(archive[:512])
    for walk in (walk_zip, walk_tar):
        with contextlib.suppress(ArchiveError):
            for member in walk(io.BytesIO(archive), LIMITS):
                content(archive, member)
    with contextlib.suppress(ArchiveError):
        expanded(archive)


def specimens():
    files = {"a.jpg": b"pixels" * 20, "in/" + "b" * 120: random.Random(5).randbytes(50), "c": b""}
    yield zipped(files)
    yield zipped(files, 0, Unseekable(), comment=b"PK\5\6" * 9)
    yield raw_zip([Raw(b"a"), Raw(b"b")], zip64=True)
    yield tarred(files)[:4608] + bytes(1024)
    yield tarred(files, tarfile.GNU_FORMAT)
    yield gnu_sparse(b"12") + pax_sparse(b"34") + bytes(1024)
    yield gzip.compress(tarred(files))


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
