"""No file of a tar is lost: links, holes, joined tars, and files that a later one replaces."""

import io
import tarfile

import pytest

from jobs.archives import Limits, extract_stream, walk_tar
from tests.unit.jobs.archives.builders import (
    END,
    LIMITS,
    MIB,
    PIECES,
    SPARSE_FORMATS,
    SPARSE_SIZE,
    content,
    contents,
    entry,
    extended,
    linked,
    names,
    pax_record,
    refusal,
    skipped,
    sparse_content,
    sparse_tar,
    tarred,
    walked,
)


def by_tarfile(archive):
    with tarfile.open(fileobj=io.BytesIO(archive), ignore_zeros=True) as opened:
        return {info.name: opened.extractfile(info).read() for info in opened.getmembers()}


def test_a_hard_link_is_an_item_with_the_bytes_of_the_file_that_it_links_to():
    archive = entry("a.jpg", b"1") + linked("b.jpg", "a.jpg") + linked("c.jpg", "b.jpg") + END
    assert (
        contents(walk_tar, archive)
        == by_tarfile(archive)
        == dict.fromkeys(["a.jpg", "b.jpg", "c.jpg"], b"1")
    )


def test_a_hard_link_finds_its_file_however_the_path_is_written():
    long = "folder/" * 30 + "a.jpg"
    archive = entry("./in//a.jpg", b"1") + linked("b.jpg", "in/a.jpg") + entry(long, b"2")
    archive += extended(b"K", long.encode() + b"\0") + linked("c.jpg", "x")
    archive += extended(b"x", pax_record(b"linkpath", long)) + linked("d.jpg", "x") + END
    found = contents(walk_tar, archive)
    assert (found["b.jpg"], found["c.jpg"], found["d.jpg"]) == (b"1", b"2", b"2")


def test_a_hard_link_to_what_the_archive_does_not_hold_before_it_is_told():
    archive = linked("a.jpg", "b.jpg") + entry("b.jpg", b"1") + END
    assert names(walk_tar, archive) == ["b.jpg"]
    assert skipped(walk_tar, archive) == [("a.jpg", "symlink")]


def test_a_link_keeps_the_bytes_of_a_file_that_is_replaced_later():
    archive = entry("a.jpg", b"1") + linked("b.jpg", "a.jpg") + entry("a.jpg", b"2") + END
    assert contents(walk_tar, archive) == {"b.jpg": b"1", "a.jpg": b"2"}
    assert skipped(walk_tar, archive) == [("a.jpg", "replaced")]


def test_links_to_one_file_count_as_often_as_they_are_read():
    archive = entry("a.jpg", bytes(MIB)) + b"".join(linked(f"{i}", "a.jpg") for i in range(9))
    assert len(walked(walk_tar, archive + END)) == 10
    limits = Limits(max_total_bytes=10 * MIB - 1)
    refusal("archive_too_large", walked, walk_tar, archive + END, limits)
    many = archive + b"".join(linked(f"{i}", "a.jpg") for i in range(400)) + END
    assert "bomb" in refusal("archive_too_large", walked, walk_tar, many)


@pytest.mark.parametrize("padding", [b"", bytes(3 * MIB), b"old junk".ljust(1024, b"\0")])
def test_every_tar_of_a_row_of_joined_tars_is_read(padding):
    archive = tarred({"a": b"1", "b": b"2"}) + padding + tarred({"c": b"3"}) + padding
    archive += tarred({}) + entry("d", b"4") + END + bytes(100)
    assert contents(walk_tar, archive) == {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}


def test_a_joined_tar_that_is_cut_short_is_refused():
    archive = tarred({"a": b"1"}) + tarred({"b": bytes(2000)})[:1500]
    assert "ends within" in refusal("corrupt_archive", walked, walk_tar, archive)


@pytest.mark.parametrize("form", SPARSE_FORMATS)
def test_a_sparse_file_is_read_with_its_holes(form):
    archive = entry("a.jpg", b"1") + sparse_tar(form) + entry("b.jpg", b"2") + END
    found = walked(walk_tar, archive)
    assert [member.name for member in found] == ["a.jpg", "sparse.bmp", "b.jpg"]
    assert found[1].encoding == "sparse"
    assert found[1].length < SPARSE_SIZE
    assert contents(walk_tar, archive) == by_tarfile(archive)
    assert content(archive, found[1]) == sparse_content()


@pytest.mark.parametrize("form", SPARSE_FORMATS)
def test_a_sparse_file_is_read_in_parts_however_they_are_cut(form):
    archive = sparse_tar(form) + END
    (member,) = walked(walk_tar, archive)
    held = archive[member.offset : member.offset + member.length]
    parts = [held[at : at + 77] for at in range(0, len(held), 77)]
    assert b"".join(extract_stream(parts, member.size, "sparse")) == sparse_content()


def test_a_hard_link_to_a_sparse_file_is_sparse_too():
    archive = sparse_tar("1.0") + linked("b.bmp", "sparse.bmp") + END
    assert contents(walk_tar, archive)["b.bmp"] == sparse_content()


@pytest.mark.parametrize("form", SPARSE_FORMATS)
def test_a_sparse_map_that_lies_costs_its_member(form):
    for pieces in ([(0, b"1" * 600), (100, b"2" * 600)], [(SPARSE_SIZE - 1, b"12")]):
        archive = sparse_tar(form, pieces=pieces) + entry("b", b"1") + END
        member, other = walked(walk_tar, archive)
        assert "sparse map" in refusal("corrupt_archive", content, archive, member)
        assert content(archive, other) == b"1"
    archive = sparse_tar(form) + END
    (member,) = walked(walk_tar, archive)
    held = archive[member.offset : member.offset + member.length]
    for cut in range(0, len(held), 500):
        parts = extract_stream([held[:cut]], member.size, "sparse")
        refusal("corrupt_archive", list, parts)


def test_a_sparse_file_without_its_size_is_an_item_at_fault():
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    archive = info.tobuf(tarfile.PAX_FORMAT) + entry("b", b"1") + END
    at_fault, other = walked(walk_tar, archive)
    assert at_fault.fault[0] == "corrupt_archive"
    assert other.fault is None


def test_a_sparse_bomb_is_refused():
    archive = b"".join(sparse_tar("gnu", f"{i}", [], 99 * MIB) for i in range(9)) + END
    assert "bomb" in refusal("archive_too_large", walked, walk_tar, archive)
    one = sparse_tar("gnu", size=2**40, pieces=PIECES) + END
    refusal("archive_too_large", walked, walk_tar, one, Limits(max_total_bytes=2**39))


def test_of_two_files_with_one_path_the_later_counts():
    archive = entry("a", b"1") + entry("b", b"2") + entry("./a", b"3") + END
    assert contents(walk_tar, archive) == {"b": b"2", "./a": b"3"}
    assert skipped(walk_tar, archive) == [("a", "replaced")]


def test_what_is_no_picture_by_its_name_is_told_unless_nothing_else_is_there():
    archive = tarred({"readme.txt": b"1", "LICENSE": b"2", "a.jpg": b"3", "none": b"4"})
    assert names(walk_tar, archive) == ["a.jpg", "none"]
    assert skipped(walk_tar, archive) == [("readme.txt", "not_media"), ("LICENSE", "not_media")]
    assert names(walk_tar, tarred({"readme.txt": b"1"})) == ["readme.txt"]


def test_the_walk_gives_a_sign_of_life_while_no_item_comes_of_it():
    signs = []
    archive = b"".join(entry(f"{i}/") for i in range(5000)) + bytes(8 * MIB)
    assert list(walk_tar(io.BytesIO(archive), LIMITS, lambda: signs.append(1))) == []
    assert len(signs) >= 5 + 8


def test_names_that_take_too_much_are_refused():
    limits = Limits(max_listing_bytes=1000)
    archive = tarred({f"{index:05}": b"" for index in range(2000)})
    assert "names" in refusal("archive_too_large", walked, walk_tar, archive, limits)
