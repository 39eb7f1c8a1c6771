"""Names: read in the encoding that they were written in, harmless, short, and unlike each other."""

import struct
import zlib

import pytest

from jobs.archives import Limits, walk_tar, walk_zip
from jobs.archives.names import decoded, fitted, visible
from tests.unit.jobs.archives.builders import (
    END,
    LIMITS,
    MIB,
    Raw,
    entry,
    names,
    raw_zip,
    refusal,
    tarred,
    walked,
    zipped,
)

JAPANESE = ["写真/テスト.png", "表示能力ソフト.jpg", "写真01 (2).JPG", "十一月の旅行ー2日目.jpg"]
EUROPEAN = ["Straße.jpg", "Ärger über Öl.png", "café.jpg", "naïve été.jpg", "Ñandú.jpg", "äöü.jpg"]


@pytest.mark.parametrize("name", JAPANESE)
def test_a_name_in_shift_jis_is_read_and_its_backslash_bytes_are_no_slashes(name):
    assert names(walk_zip, raw_zip([Raw(name.encode("cp932"))])) == [name]


@pytest.mark.parametrize("name", EUROPEAN)
def test_a_name_of_a_european_dos_is_not_taken_for_japanese(name):
    assert names(walk_zip, raw_zip([Raw(name.encode("cp437"))])) == [name]


def test_a_korean_name_is_read():
    assert decoded("사진 모음/고양이.jpg".encode("cp949"), "cp437") == "사진 모음/고양이.jpg"


def unicode_path(name, utf8, crc=None, version=1):
    crc = zlib.crc32(name) if crc is None else crc
    return struct.pack("<HHBI", 0x7075, 5 + len(utf8), version, crc) + utf8


def with_extra(name, extra):
    archive = raw_zip([Raw(name)])
    at = archive.index(b"PK\1\2")
    size = struct.pack("<H", len(extra))
    directory = archive[at : at + 30] + size + archive[at + 32 : at + 46 + len(name)] + extra
    end = bytearray(archive[at + 46 + len(name) :])
    end[12:16] = struct.pack("<I", len(directory))
    return archive[:at] + directory + bytes(end)


def test_the_unicode_path_field_gives_the_name_if_it_belongs_to_it():
    utf8 = "写真/テスト.png".encode()
    assert names(walk_zip, with_extra(b"x.png", unicode_path(b"x.png", utf8))) == [utf8.decode()]
    padded = struct.pack("<HH", 0x5455, 3) + b"abc" + unicode_path(b"x.png", utf8)
    assert names(walk_zip, with_extra(b"x.png", padded)) == [utf8.decode()]
    for stale in (unicode_path(b"x.png", utf8, crc=1), unicode_path(b"x.png", utf8, version=2)):
        assert names(walk_zip, with_extra(b"x.png", stale)) == ["x.png"]


def test_what_turns_text_around_or_hides_is_written_out():
    hostile = "a\u202egpj.exe\u2066\u200b\u2028\ufeffb"
    assert visible(hostile) == r"a\u202egpj.exe\u2066\u200b\u2028\ufeffb"
    kept = "\u3000全角\u00a0e\u0301👩\u200d👧 می\u200cخواهم"
    assert visible(kept) == kept


def test_a_member_without_a_name_gets_one_by_its_place():
    assert names(walk_zip, raw_zip([Raw(b"a"), Raw(b""), Raw(b" ")])) == [
        "a",
        "unnamed-2",
        "unnamed-3",
    ]
    assert names(walk_tar, entry("") + entry("b") + END) == ["unnamed-1", "b"]


@pytest.mark.parametrize("letter", ["x", "é", "写", "👩"])
def test_a_long_name_is_cut_keeps_its_suffix_and_stays_unlike_others(letter):
    long = letter * 600
    files = {f"{long}{index}.jpg": b"1" for index in range(3)}
    for walk, pack in ((walk_zip, zipped), (walk_tar, tarred)):
        found = names(walk, pack(files))
        assert len(set(found)) == 3
        for name in found:
            assert len(name) <= 512
            assert len(name.encode()) <= 2048
            assert name.endswith(".jpg")
            assert name.startswith(letter * 100)


def test_a_name_that_fits_is_left_as_it_is():
    for name in ("x" * 508 + ".jpg", "写" * 512, "👩" * 512):
        assert fitted(name, name.encode(), LIMITS) == name
    for name in ("x" * 513, "👩" * 513, "a." + "写" * 600):
        assert fitted(name, name.encode(), LIMITS) != name
    small = Limits(max_name_chars=40, max_name_bytes=60)
    assert len(fitted("写" * 100, b"", small).encode()) <= 60


def test_a_name_of_a_megabyte_is_refused_before_it_is_read():
    archive = tarred({"x" * MIB: b"1"})
    assert "claims" in refusal("corrupt_archive", walked, walk_tar, archive)


def test_duplicate_names_in_a_zip_are_both_given():
    archive = raw_zip([Raw(b"a.jpg", b"1"), Raw(b"a.jpg", b"2")])
    assert names(walk_zip, archive) == ["a.jpg", "a.jpg"]
