"""Files that once were answered wrongly (tests/cases/media), by every way in, on a real stack.

A right answer is the one that the plain picture or film gets: truth-scene.png, truth-photo.png,
film.mp4; film.json says what is to be seen in the film.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.media.doors import DOORS, submitted_by_command_line, uploaded
from tests.e2e.stacks import RunningStack, results_of

MEDIA = Path(__file__).parents[2] / "cases" / "media"

# Odd picture → the plain one whose answer it must get; None for the code of its error.
AS_PLAIN = {
    "jpeg-2-extraneous-before-dqt.jpg": "truth-scene.png",
    "tiff-rgba-half-transparent.tif": "truth-scene.png",
    "png-orient6-raw-profile-ztxt.png": "truth-scene.png",
    "png-srgb-gama-phys-photo.png": "truth-photo.png",
}
BROKEN = ("jpeg-trunc-half-plus-eoi.jpg", "tiff-lzw-corrupt-middle.tif")
RAW = "raw-dng-like-scene.dng"
PICTURES = (*AS_PLAIN, *BROKEN, RAW, "truth-scene.png", "truth-photo.png")

# Odd film → the second of the film at which it begins, and whether it must be told to be damaged.
FILMS: dict[str, tuple[float, bool | None]] = {
    "il-50i.mp4": (0.0, False),
    "trim-copy-from-5.3s.mp4": (5.3, False),
    "xvid-packed.avi": (0.0, False),
    "ts-joined-by-cat.ts": (0.0, None),
    "noise-in-middle.mp4": (0.0, True),
}
COVER = "cover-art-only.m4a"
# The network's window, in seconds; and how much of a film it must tell as it is shown.
WINDOW_S, AGREE = 2.0, 0.85

# Archive → what its items show, by name; None may be an error.
ARCHIVES: dict[str, dict[str, str | None]] = {
    "hardlink.tar": {"a/b/three.png": "3", "a/two.png": "2", "four.png": "4", "hard.png": "4"},
    "concatenated.tar": {"2.png": "2", "3.png": "3", "4.png": "4", "6.png": "6"},
    "concatenated.tar.gz": {"2.png": "2", "3.png": "3", "4.png": "4", "6.png": "6"},
    "sparse-gnu.tar": {"four.png": "4", "sp.bmp": None},
    # Its later four.bmp shows a two.
    "tar-updated.tar": {"three.bmp": "3", "four.bmp": "2"},
    "three-digits.tar.bz2": {"a/b/three.png": "3", "a/two.png": "2", "four.png": "4"},
    "mixed-one-deflate64.zip": {
        "a/two.bmp": "2", "big.bmp": None, "four.bmp": "4", "three.bmp": "3",
    },
    "one-text-bzip2.zip": {"a/b/three.png": "3", "a/two.png": "2", "four.png": "4"},
    "names-unicode-extra-field.zip": {"写真/テスト.png": "2"},
}  # fmt: skip


Segments = list[tuple[float, float, str]]


def paths(*names: str) -> list[Path]:
    return [MEDIA / name for name in names]


@pytest.mark.parametrize("door", DOORS)
def test_odd_pictures_get_the_answers_of_plain_ones(
    stack: RunningStack, tmp_path: Path, door: str
) -> None:
    rows = DOORS[door](stack, paths(*PICTURES), "scenes-detector", tmp_path)
    assert rows.keys() == set(PICTURES)
    for odd, plain in AS_PLAIN.items():
        assert rows[odd]["status"] == "succeeded", rows[odd]["error"]
        same_boxes(rows[odd]["predictions"], rows[plain]["predictions"], odd)
    assert len(rows["truth-scene.png"]["predictions"]) >= 2
    for name in BROKEN:
        assert rows[name]["error"]["code"] == "image_decode_failed"
    if rows[RAW]["error"] is None:
        same_boxes(rows[RAW]["predictions"], rows["truth-scene.png"]["predictions"], RAW)
    else:
        assert "raw" in rows[RAW]["error"]["message"].lower()


def same_boxes(found: list[dict[str, Any]], right: list[dict[str, Any]], name: str) -> None:
    """Of each sure box there is one of its class within a pixel in the other, both ways."""
    for mine, theirs in ((found, right), (right, found)):
        for box in mine:
            near = [
                each
                for each in theirs
                if each["class"] == box["class"] and each["box"] == pytest.approx(box["box"], abs=1)
            ]
            assert near or box["confidence"] < 0.5, (name, box, theirs)


@pytest.mark.parametrize("door", DOORS)
def test_odd_films_get_the_answers_of_the_plain_one(
    stack: RunningStack, tmp_path: Path, door: str
) -> None:
    rows = DOORS[door](stack, paths("film.mp4", *FILMS, COVER), "motion", tmp_path)
    agrees(rows["film.mp4"], shown(), 0.0, "film.mp4")
    for name, (begins, is_damaged) in FILMS.items():
        agrees(rows[name], segments_of(rows["film.mp4"]), begins, name)
        if is_damaged is not None:
            assert bool(rows[name]["warnings"]) == is_damaged, (name, rows[name]["warnings"])
    assert rows[COVER]["status"] == "errored"
    assert "cover" in rows[COVER]["error"]["message"]


def agrees(row: dict[str, Any], right: Segments, begins: float, name: str) -> None:
    """What is told of each tenth of a second is what is right within a window of it."""
    assert row["status"] == "succeeded", (name, row["error"])
    found = segments_of(row)
    tenths = [tenth / 10 for tenth in range(int(begins * 10) + 1, 198)]
    wrong = [at for at in tenths if not told(found, at - begins, 0.0) <= told(right, at, WINDOW_S)]
    assert found[-1][1] == pytest.approx(20.0 - begins, abs=0.2)
    assert len(wrong) <= (1 - AGREE) * len(tenths), (name, wrong, found)


def segments_of(row: dict[str, Any]) -> Segments:
    (prediction,) = row["predictions"]
    return [
        (each["start_ms"] / 1000, each["end_ms"] / 1000, each["class"])
        for each in prediction["segments"]
    ]


def shown() -> Segments:
    """What film.json says: begin and end in seconds, and what is to be seen."""
    truth = json.loads((MEDIA / "film.json").read_text())
    ends = [each[0] for each in truth[1:]] + [20.0]
    return [
        (begins, end, f"{digit} {direction}")
        for (begins, digit, direction), end in zip(truth, ends, strict=True)
    ]


def told(segments: Segments, at: float, slack: float) -> set[str]:
    return {name for begins, end, name in segments if begins - slack <= at < end + slack}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_odd_archive_gives_a_row_for_every_file(stack: RunningStack, name: str) -> None:
    job, rows = uploaded(stack, MEDIA / name, "digits")
    assert job.status == "completed", job.status_reason
    check_digits(rows, name)


def test_the_command_line_takes_odd_archives_too(stack: RunningStack) -> None:
    for name in ARCHIVES:
        job = submitted_by_command_line(stack, paths(name), "digits")
        with stack.client() as client:
            check_digits(results_of(client, job["id"]), name)


def check_digits(rows: list[dict[str, Any]], name: str) -> None:
    wanted = ARCHIVES[name]
    assert [row["custom_id"] for row in rows] == list(wanted)
    for row in rows:
        digit = wanted[row["custom_id"]]
        if digit is None and row["error"] is not None:
            assert row["error"]["code"] in ("unsupported_archive", "image_decode_failed"), row
            continue
        assert row["status"] == "succeeded", row["error"]
        assert digit is None or row["predictions"][0]["class"] == digit, (name, row)


def test_a_text_beside_pictures_is_counted_as_skipped(stack: RunningStack) -> None:
    job, _ = uploaded(stack, MEDIA / "one-text-bzip2.zip", "digits")
    assert job.raw["skipped"]["count"] == 1
