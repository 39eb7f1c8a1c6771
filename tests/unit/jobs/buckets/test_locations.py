"""Addresses are read in one way or refused, and a folder covers whole segments alone."""

import pytest

from jobs.buckets.locations import LocationError, read_location


@pytest.mark.parametrize(
    "text",
    [
        "s3://photos/a/b.jpg",
        "s3://photos",
        "gs://my_photos.of-us/a b/ü+#?&=.jpg",
        "az://account/container/a/b.jpg",
        "file:///srv/photos/a.jpg",
        "s3://photos/100%/a%41.jpg",
    ],
)
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert str(read_location(text)) == text
    assert str(read_location(f"{text}/")) == text
    assert read_location(text).folder == f"{text}/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photos/a",
        "http://photos/a",
        "S3://photos/a",
        "s3:/photos/a",
        "s3://",
        "s3:///a",
        "s3://Photos/a",
        "s3://user:secret@photos/a",
        "s3://photos:80/a",
        "s3://photos\\a/b",
        "s3://a..b/c",
        "s3://photos?x=1",
        "s3://photos/../other/a",
        "s3://photos/a/..",
        "s3://photos/./a",
        "s3://photos//a",
        "s3://photos/a//",
        "s3://photos/%2e%2e/other",
        "s3://photos/a%2Fb",
        "s3://photos/a%5Cb",
        "s3://photos/a%00b",
        "s3://photos/a%252e",
        "s3://photos/a\\..\\b",
        "s3://photos/a\nb",
        "s3://photos/a\u202eb",
        "s3://photos/" + "a" * 1025,
        "gs://x/a",
        "az://account/a",
        "az://acc.ount/container/a",
        "az://account/../a",
        "file://srv/photos",
        "file:///",
        "file:///srv/../etc",
        "file:///srv/%2e%2e/etc",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(LocationError) as refused:
        read_location(text)
    assert str(refused.value).isascii()
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("folder", "other", "covers"),
    [
        ("s3://photos/path", "s3://photos/path", True),
        ("s3://photos/path/", "s3://photos/path/a/b.jpg", True),
        ("s3://photos", "s3://photos/path", True),
        ("s3://photos/path", "s3://photos/pathX", False),
        ("s3://photos/path", "s3://photos/pathX/a", False),
        ("s3://photos/path", "s3://photos", False),
        ("s3://photos/path", "s3://photos/other/path", False),
        ("s3://photos/path", "s3://photos2/path/a", False),
        ("s3://photos/path", "gs://photos/path/a", False),
        ("az://account/one", "az://account/two/a", False),
        ("az://account/one", "az://another/one/a", False),
        ("file:///srv/photos", "file:///srv/photos2/a", False),
    ],
)
def test_a_folder_covers_what_lies_below_it(folder: str, other: str, covers: bool) -> None:
    assert read_location(folder).covers(read_location(other)) is covers


def test_a_key_below_a_bucket_is_checked_as_an_address_is() -> None:
    folder = read_location("s3://photos/path/")
    assert str(folder.below("path/a.jpg")) == "s3://photos/path/a.jpg"
    assert folder.below("path/a/b.jpg").name_in(folder) == "a/b.jpg"
    for key in ("path/../a", "/a", "a//b", "a\x00b"):
        with pytest.raises(LocationError):
            folder.below(key)
