"""A data set in Ultralytics' layout: an archive that any reader opens, and labels in shares."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.results.forms import zip_stream
from api.results.forms.zip_stream import Member, zipped
from jobs.archives.members import Limits
from jobs.archives.members import Member as ArchiveMember
from jobs.archives.walking import walk
from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, read, run_job

LABELS = ("cat", 'a "dog", or\n: \\ not', "犬 🐕", "yes")


def archive_of(caller: Caller, job: str) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(read(caller, job, "yolo")))
    assert archive.testzip() is None
    return archive


def items_of(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    names = sorted(name for name in archive.namelist() if name.startswith("items-"))
    return [json.loads(line) for name in names for line in archive.read(name).splitlines()]


def run(ground: Ground, tenant: NewKey, answers: list[Answer], **more: Any) -> str:
    return run_job(ground, tenant, "detection", answers, labels=LABELS, **more)


def test_boxes_are_shares_of_their_pictures_by_centre_and_size(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    found = [
        box("cat", 0, 64, 48, 128, 96),
        box("yes", 3, -64, 400, 128, 160),
        box("cat", 0, 700, 0, 9, 9),
    ]
    archive = archive_of(caller, run(ground, tenant, [Answer("a/b.c.jpg", found)]))
    lines = archive.read("labels/train/a/b.c.txt").decode().splitlines()
    assert [[float(number) for number in line.split()] for line in lines] == [
        [0, 0.2, 0.2, 0.2, 0.2],
        # Of what reaches over the border, what is inside; of what lies beside the picture, nothing.
        [3, 0.05, pytest.approx(440 / 480, abs=1e-8), 0.1, pytest.approx(80 / 480, abs=1e-8)],
    ]
    (item,) = items_of(archive)
    assert item == {
        "index": 0, "custom_id": "a/b.c.jpg", "picture": "images/train/a/b.c.jpg",
        "labels": "labels/train/a/b.c.txt", "objects": 2,
    }  # fmt: skip


def labels_by_ultralytics(picture: str) -> str:
    """Where Ultralytics looks for a picture's labels: `img2label_paths` in its documentation."""
    before, _, behind = f"/{picture}".rpartition("/images/")
    return f"{before}/labels/{behind}".rpartition(".")[0].lstrip("/") + ".txt"


@pytest.mark.parametrize(
    "name", ["a.jpg", "images/a.jpg", "train/images/b.jpg", "images/images/c.jpg", "images.jpg"]
)
def test_labels_lie_where_they_are_looked_for(
    caller: Caller, ground: Ground, tenant: NewKey, name: str
) -> None:
    answer = Answer(name, [box("cat", 0, 64, 48, 128, 96)])
    archive = archive_of(caller, run(ground, tenant, [answer]))
    (item,) = items_of(archive)
    assert item["labels"] == labels_by_ultralytics(item["picture"])
    assert item["labels"] in archive.namelist()


def test_classes_have_their_names_whatever_stands_in_them(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    archive = archive_of(caller, run(ground, tenant, [Answer("a.jpg", [])]))
    assert yaml.safe_load(archive.read("data.yaml")) == {
        "train": "images/train", "val": "images/train", "nc": 4, "names": dict(enumerate(LABELS)),
    }  # fmt: skip


def test_every_item_is_listed_and_only_answered_ones_have_labels(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    answers = [
        Answer("a.jpg", []), Answer("bad.jpg", BROKEN), Answer("old.jpg", [], None),
        Answer("never.jpg", []),
    ]  # fmt: skip
    job = run(ground, tenant, answers, leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    archive = archive_of(caller, job)
    assert archive.namelist() == ["data.yaml", "labels/train/a.txt", "items-00000.jsonl"]
    assert archive.read("labels/train/a.txt") == b""
    empty, failed, old, never = items_of(archive)
    assert empty["objects"] == 0
    assert failed == {
        "index": 1, "custom_id": "bad.jpg", "status": "errored",
        "error": {"code": "image_decode_failed", "message": "Cut short, at byte 7."},
    }  # fmt: skip
    assert old["error"]["code"] == "size_unknown"
    assert (never["status"], never["error"]) == ("cancelled", None)


def test_pictures_that_would_share_their_labels_are_told_apart(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    names = [
        "a.jpg", "a.png", "a (2).png", "../x.jpg", "/x.jpg", "c\\d:e.jpg", "https://h/p.jpg?q=1",
        ".hidden", "no suffix", "ä/犬.jpg", "y" * 500 + ".jpg", "..", "/",
    ]  # fmt: skip
    found = [[box("cat", 0, 0, 0, 64 * (1 + number % 10), 48)] for number, _ in enumerate(names)]
    pairs = zip(names, found, strict=True)
    archive = archive_of(caller, run(ground, tenant, [Answer(*each) for each in pairs]))
    items = items_of(archive)
    assert [each["custom_id"] for each in items] == names
    assert len({each["labels"] for each in items}) == len(names)
    labels = [each["labels"].removeprefix("labels/train/") for each in items]
    assert labels[:7] == [
        "a.txt", "a (3).txt", "a (2).txt", "_/x.txt", "x.txt", "c_d_e.txt", "https_/h/p.txt",
    ]  # fmt: skip
    assert items[1]["picture"] == "images/train/a (3).png"
    assert labels[9] == "ä/犬.txt"
    archive.extractall(tmp_path)
    for number, item in enumerate(items):
        text = (tmp_path / item["labels"]).read_text()
        assert float(text.split()[3]) == pytest.approx(0.1 * (1 + number % 10))


def test_masks_have_no_yolo_and_the_answer_says_why(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job = run_job(ground, tenant, "segmentation", [Answer("a.jpg", [])])
    answer = caller.get(f"/v1/jobs/{job}/results?format=yolo")
    assert answer.status_code == 422
    assert "polygons without holes" in answer.json["detail"]
    assert "json, ndjson, csv, parquet, coco, label-studio, geojson" in answer.json["detail"]


def test_a_job_without_rows_is_an_archive_without_labels(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    archive = archive_of(caller, run(ground, tenant, [Answer("a.png", [])], leave=1))
    assert archive.namelist() == ["data.yaml", "items-00000.jsonl"]


def test_the_strict_reader_of_uploads_takes_the_archive_too() -> None:
    members = [Member("data.yaml", b"a: 1\n"), Member("ä/犬.jpg", b"x" * 9), Member("b.png", b"y")]
    content = b"".join(zipped(lambda: members))
    found = list(walk("zip", io.BytesIO(content), Limits()))
    pictures = [each for each in found if isinstance(each, ArchiveMember)]
    assert [each.name for each in pictures] == ["ä/犬.jpg", "b.png"]
    # A range is the member's header, and then its bytes.
    ranges = [content[each.offset :][: each.length] for each in pictures]
    assert ranges[0].endswith(b".jpg" + b"x" * 9)
    assert ranges[1].endswith(b"b.pngy")


def test_an_archive_of_very_many_members_has_them_all() -> None:
    count = 70_000

    def members() -> Any:
        return (Member(f"{number}.txt", b"%d" % number) for number in range(count))

    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(members)))) as archive:
        assert len(archive.namelist()) == count
        assert archive.read(f"{count - 1}.txt") == b"%d" % (count - 1)


def test_members_beyond_four_gigabytes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # The border is moved, since a test cannot write so much.
    monkeypatch.setattr(zip_stream, "_FAR", 100)
    members = [Member(f"{number}.txt", b"x" * 60) for number in range(5)]
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(lambda: members)))) as archive:
        assert [archive.read(each.name) for each in members] == [b"x" * 60] * 5
