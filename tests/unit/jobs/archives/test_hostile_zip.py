"""What is refused of a zip, before anything of it leaves."""

import io

import pytest

from jobs.archives import (
    Limits,
    walk_tar,
    walk_zip,
)
from tests.unit.jobs.archives.builders import (
    LIMITS,
    MIB,
    Raw,
    content,
    deflated,
    names,
    raw_zip,
    refusal,
    tarred,
    walked,
    zipped,
)


@pytest.mark.parametrize("flag", [0x0001, 0x0041, 0x2000])
def test_an_encrypted_member_costs_itself_and_not_the_zip(flag):
    first, second = walked(walk_zip, raw_zip([Raw(flags=flag), Raw(b"b.jpg")]))
    assert first.fault[0] == "unsupported_archive"
    assert "encrypted" in first.fault[1]
    assert second.fault is None


@pytest.mark.parametrize(
    ("method", "name"), [(98, "PPMd"), (6, "implode"), (1, "shrink"), (77, "method 77")]
)
def test_a_compression_that_is_not_read_costs_its_member_and_is_named(method, name):
    first, second = walked(walk_zip, raw_zip([Raw(method=method), Raw(b"b.jpg")]))
    assert f"compressed with {name}" in first.fault[1]
    assert second.fault is None


def test_what_cannot_be_read_counts_neither_to_the_total_nor_to_the_ratio():
    archive = raw_zip([Raw(size=2**31, method=98), Raw(b"b.jpg", b"12")])
    assert len(walked(walk_zip, archive, Limits(max_total_bytes=2))) == 2


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
