"""Which job has which form, how forms are told and compressed, and that none loses an item."""

import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from api.results.forms.table import FORMS
from jobs.base.bootstrap import Ground
from jobs.base.states import VersionState
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from models.catalog import CONTRACTS
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.forms.answered import BROKEN, Answer, box, read, run_job

ALL = {"json", "ndjson", "csv", "parquet"}
OF_TASK = {
    "classification": ALL | {"label-studio"},
    "zero-shot-classification": ALL | {"label-studio"},
    "video-classification": ALL | {"label-studio"},
    "embedding": ALL,
    "detection": ALL | {"coco", "yolo", "label-studio", "geojson"},
    "segmentation": ALL | {"coco", "label-studio", "geojson"},
}


@pytest.mark.parametrize("task", CONTRACTS)
def test_a_form_that_a_job_has_not_is_refused_with_those_that_it_has(
    caller: Caller, ground: Ground, tenant: NewKey, task: str
) -> None:
    path = f"/v1/jobs/{run_job(ground, tenant, task, [Answer('a.jpg', BROKEN)])}/results"
    for form in FORMS:
        answer = caller.get(f"{path}?format={form}")
        if form in OF_TASK[task]:
            assert (answer.status_code, answer.headers["Pixelmill-Rows"]) == (200, "1"), form
            continue
        problem = check_problem(answer, 422)
        assert problem["error"]["param"] == "format"
        told = problem["detail"].rpartition("This job has ")[2].rstrip(".").split(", ")
        assert set(told) == OF_TASK[task]
        assert task in problem["detail"]


def test_films_have_no_coco_and_the_answer_says_why(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job = run_job(ground, tenant, "video-classification", [Answer("a.mp4", BROKEN)])
    problem = check_problem(caller.get(f"/v1/jobs/{job}/results?format=coco"), 422)
    assert "items are films" in problem["detail"]


@pytest.mark.parametrize(
    ("written", "meant"), [("parqet", "parquet"), ("COCO", "coco"), ("labelstudio", "label-studio")]
)
def test_a_form_that_is_misspelt_is_told_the_right_way(
    caller: Caller, ground: Ground, tenant: NewKey, written: str, meant: str
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", [])])
    problem = check_problem(caller.get(f"/v1/jobs/{job}/results?format={written}"), 422)
    assert f"did you mean {meant!r}?" in problem["detail"]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_names_a_file_and_is_the_same_each_time(
    caller: Caller, ground: Ground, tenant: NewKey, form: str
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", [box("cat", 0, 1, 2, 3, 4)])])
    answer = caller.get(f"/v1/jobs/{job}/results?format={form}")
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="{job}{FORMS[form].suffix}"'
    assert answer.content_type == FORMS[form].media_type
    assert read(caller, job, form) == answer.data


@pytest.mark.parametrize("form", FORMS)
def test_each_form_holds_every_item_of_many_shards(
    caller: Caller, ground: Ground, tenant: NewKey, form: str
) -> None:
    answers = [
        Answer(f"{n}.jpg", BROKEN if n % 3 == 0 else [box("cat", 0, 1, 2, 3, 4)] * (n % 2))
        for n in range(130)
    ]
    job = run_job(ground, tenant, "detection", answers)
    content = read(caller, job, form)
    assert indexes_in(form, content) == list(range(130))


def indexes_in(form: str, content: bytes) -> list[int]:
    """Give the indexes of the items that a file holds."""
    if form in ("ndjson", "csv"):
        lines = content.decode().splitlines()
        found = [json.loads(line)["index"] for line in lines] if form == "ndjson" else []
        return sorted(found or [int(line.split(",")[0]) for line in lines[1:]])
    if form == "parquet":
        return sorted(pq.read_table(io.BytesIO(content))["index"].to_pylist())
    if form == "yolo":
        archive = zipfile.ZipFile(io.BytesIO(content))
        lines = archive.read("items-00000.jsonl").decode().splitlines()
        labelled = {name for name in archive.namelist() if name.startswith("labels/")}
        assert labelled == {each["labels"] for each in map(json.loads, lines) if "labels" in each}
        return sorted(json.loads(line)["index"] for line in lines)
    value = json.loads(content)
    if form == "coco":
        in_images = [each["id"] for each in value["images"]]
        return sorted(in_images + [each["index"] for each in value["left_out"]])
    if form == "geojson":
        return sorted({each["properties"]["index"] for each in value["features"]})
    assert form == "label-studio"
    return sorted(each["meta"]["index"] for each in value)


@pytest.mark.parametrize("form", ["json", *FORMS])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_form_is_compressed_when_asked_unless_it_is_packed_already(
    caller: Caller, ground: Ground, tenant: NewKey, form: str, encoding: str
) -> None:
    answers = [Answer(f"{n}.jpg", [box("cat", 0, 1, 2, 3, 4)]) for n in range(90)]
    path = f"/v1/jobs/{run_job(ground, tenant, 'detection', answers)}/results?format={form}"
    plain = caller.get(path)
    answer = caller.get(path, headers={"Accept-Encoding": encoding})
    if form in ("parquet", "yolo"):
        assert "Content-Encoding" not in answer.headers
        assert answer.data == plain.data
        return
    assert "Content-Encoding" not in plain.headers
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (
        encoding, "Accept-Encoding",
    )  # fmt: skip
    assert answer.headers.get("Pixelmill-Rows") == plain.headers.get("Pixelmill-Rows")
    assert len(answer.data) < len(plain.data) / 3
    assert decompressed(encoding, answer.data) == plain.data


def decompressed(encoding: str, content: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(content)
    return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("*", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
    ],
)
def test_the_encoding_is_the_one_that_the_caller_likes_best(
    caller: Caller, ground: Ground, tenant: NewKey, asked: str, given: str | None
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", [])])
    path = f"/v1/jobs/{job}/results?format=ndjson"
    answer = caller.get(path, headers={"Accept-Encoding": asked})
    assert answer.headers.get("Content-Encoding") == given


def test_a_compressed_stream_stays_a_stream(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    answers = [Answer(f"{n}-{n * 7919 % 6007}.jpg", BROKEN) for n in range(6000)]
    job = run_job(ground, tenant, "detection", answers)
    for encoding in ("gzip", "zstd"):
        answer = caller.get(
            f"/v1/jobs/{job}/results?format=ndjson",
            headers={"Accept-Encoding": encoding},
            buffered=False,
        )
        pieces = list(answer.iter_encoded())
        assert len(pieces) > 3
        assert max(map(len, pieces)) < sum(map(len, pieces)) / 2


def test_labels_that_came_with_the_job_are_its_classes(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    # Of a version that is gone meanwhile: what it did is still known.
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", [])], params={"labels": ["x"]})
    with ground.database.write() as session:
        session.execute(update(ModelVersion).values(state=VersionState.DELETED))
    assert json.loads(read(caller, job, "coco"))["categories"][0]["name"] == "x"


@pytest.mark.parametrize("form", FORMS)
def test_nobody_reads_anothers(stranger: Caller, ground: Ground, tenant: NewKey, form: str) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.jpg", [])])
    check_problem(stranger.get(f"/v1/jobs/{job}/results?format={form}"), 404)
