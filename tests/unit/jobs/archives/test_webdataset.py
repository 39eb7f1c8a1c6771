"""WebDataset tars: small sidecars become the metadata of the file beside them."""

import json

from jobs.archives import Limits, walk_tar
from tests.unit.jobs.archives.builders import skipped, tarred, walked, zipped


def metadata(files, limits=None):
    found = walked(walk_tar, tarred(files), limits or Limits())
    return {member.name: member.metadata and json.loads(member.metadata) for member in found}


def test_the_sidecars_of_a_sample_are_kept_in_whatever_order_they_come():
    files = {
        "in/0001.cls": b"7\n",
        "in/0001.jpg": b"1",
        "in/0001.json": b'{"caption": "caf\xc3\xa9"}',
        "in/0002.json": b"[1, 2]",
        "in/0002.left.png": b"2",
        "in/0002.right.png": b"3",
        "in/0002.txt": b"ein Hund",
        "in/0003.jpg": b"4",
    }
    assert metadata(files) == {
        "in/0001.jpg": {"cls": 7, "json": {"caption": "café"}},
        "in/0002.left.png": {"json": [1, 2], "txt": "ein Hund"},
        "in/0002.right.png": {"json": [1, 2], "txt": "ein Hund"},
        "in/0003.jpg": None,
    }
    told = skipped(walk_tar, tarred(files))
    assert {reason for _, reason in told} == {"sidecar"}
    assert len(told) == 4


def test_a_sidecar_that_is_broken_or_too_long_is_told_as_no_picture():
    for bad in (b"{", b"NaN", b'"\\ud800"', b"\xff", b"[" * 4000, b"1e999", b'"' + b"x" * 5000):
        files = {"1.jpg": b"1", "1.json": bad, "1.cls": b"cat"}
        assert metadata(files) == {"1.jpg": {"cls": "cat"}}
        assert skipped(walk_tar, tarred(files)) == [("1.json", "not_media"), ("1.cls", "sidecar")]


def test_the_metadata_of_one_file_has_a_limit():
    files = {"1.jpg": b"1", "1.txt": b"x" * 30, "1.cls": b"2"}
    assert metadata(files, Limits(max_metadata_bytes=20)) == {"1.jpg": {"cls": 2}}
    for index in range(1000, 1100):
        files[f"1.{index}.txt"] = b"y" * 100
    found = walked(walk_tar, tarred(files))
    assert all(len(member.metadata) <= 4096 for member in found)


def test_a_sidecar_without_a_picture_of_its_key_is_no_sidecar():
    files = {"1.jpg": b"1", "2.json": b"{}", "2.txt": b"", "notes.txt": b"", ".json": b"1"}
    assert metadata(files) == {"1.jpg": None}
    assert {reason for _, reason in skipped(walk_tar, tarred(files))} == {"not_media"}
    assert list(metadata({"2.json": b"{}"})) == ["2.json"]


def test_a_zip_tells_what_would_be_sidecars_as_no_pictures():
    from jobs.archives import walk_zip

    files = {"1.jpg": b"1", "1.json": b"{}"}
    assert skipped(walk_zip, zipped(files)) == [("1.json", "not_media")]
