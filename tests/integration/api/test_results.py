"""Reading results: exact pages, live streams, and nothing that a spreadsheet would run."""

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from sqlalchemy import update

from api.results.forms.csv_table import harmless
from api.results.forms.csv_table import write as as_csv
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import segment_name
from jobs.forms.export import Export
from jobs.queue.commits import Tally, commit
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.results.segments import ItemError, ItemWarning, Row, to_json, write_segment
from jobs.tables import Job
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.jobs.builders import claim_one, run_one

SEVEN = [{"class": "7", "class_id": 7, "confidence": 0.9}]


def run_rows(ground: Ground, **more: Any) -> None:
    """Commit one shard whose even items succeed and whose odd ones fail."""
    lease = claim_one(ground)
    rows = [
        Row(
            index,
            more.get("custom_id", f"item-{index}"),
            ItemStatus.ERRORED if index % 2 else ItemStatus.SUCCEEDED,
            input_sha256="ab" * 32,
            attempts=1,
            predictions_json=None if index % 2 else to_json(SEVEN),
            error=ItemError("image_decode_failed", "Cut short.", False) if index % 2 else None,
            warnings=() if index % 2 else (ItemWarning("video_damaged", "Half of it."),),
        )
        for index in range(lease.first, lease.first + lease.count)
    ]
    name = segment_name(lease.job_id, lease.first, lease.fence)
    write_segment(ground.storage, name, rows)
    failed = sum(row.error is not None for row in rows)
    tally = Tally(succeeded=len(rows) - failed, errored=failed)
    assert commit(ground.database, lease, name, tally, 0.1)


def read_all(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = caller.get(path, query_string=query).json
        rows += page["data"]
        query["after"] = page["last_id"]
        if not page["has_more"]:
            return rows


def test_a_result_is_as_the_contract_and_the_openapi_schema_say(
    caller: Caller, ground: Ground
) -> None:
    path = f"/v1/jobs/{caller.submit(2)['id']}/results"
    run_rows(ground)
    page = caller.get(path).json
    good, bad = page["data"]
    assert good == {
        "index": 0,
        "custom_id": "item-0",
        "status": "succeeded",
        "model": "digits@1#sha256:" + "0" * 64,
        "input_sha256": "ab" * 32,
        "attempts": 1,
        "predictions": SEVEN,
        "error": None,
        "warnings": [{"code": "video_damaged", "message": "Half of it."}],
        "width": None,
        "height": None,
        "fps": None,
        "duration_ms": None,
        "metadata": None,
        "input_url": None,
    }
    assert (bad["status"], bad["predictions"], bad["warnings"]) == ("errored", None, [])
    assert bad["error"] == {
        "code": "image_decode_failed", "message": "Cut short.", "retryable": False,
    }  # fmt: skip
    assert page["object"] == "list"
    assert page["first_id"] != page["last_id"]
    components = caller.get("/openapi.json").json["components"]
    schema = {"$ref": "#/components/schemas/ResultPage", "components": components}
    OAS31Validator(schema).validate(page)


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_of_any_size_hold_every_row_once(caller: Caller, ground: Ground, limit: int) -> None:
    path = f"/v1/jobs/{caller.submit(130)['id']}/results"
    finish(ground)
    rows = read_all(caller, path, limit=limit)
    assert sorted(row["index"] for row in rows) == list(range(130))


def test_a_reader_who_follows_a_running_job_sees_every_row_once(
    caller: Caller, ground: Ground
) -> None:
    path = f"/v1/jobs/{caller.submit(130)['id']}/results"
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 9}
    lease = None
    while True:
        page = caller.get(path, query_string=query).json
        seen += [row["index"] for row in page["data"]]
        if page["last_id"] is not None:
            query["after"] = page["last_id"]
        if page["has_more"]:
            continue
        lease = claim(ground.database, Line("cpu"), "node-1", 30)
        if lease is None:
            break
        run_one(ground, lease)
    assert sorted(seen) == list(range(130))


def test_an_empty_page_keeps_the_cursor_where_it_was(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(64)['id']}/results"
    empty = caller.get(path).json
    assert (empty["data"], empty["last_id"], empty["has_more"]) == ([], None, False)
    run_one(ground, claim_one(ground))
    cursor = caller.get(path).json["last_id"]
    again = caller.get(path, query_string={"after": cursor}).json
    assert (again["data"], again["last_id"]) == ([], cursor)
    finish(ground)
    rest = caller.get(path, query_string={"after": cursor}).json["data"]
    assert [row["index"] for row in rest] == list(range(32, 64))


def test_rows_are_found_by_their_status(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(10)['id']}/results"
    run_rows(ground)
    errored = read_all(caller, path, status="errored", limit=2)
    assert [row["index"] for row in errored] == [1, 3, 5, 7, 9]
    lines = caller.get(f"{path}?status=succeeded&format=ndjson").text.splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 2, 4, 6, 8]


def test_items_that_never_ran_have_results_too(caller: Caller, ground: Ground) -> None:
    job = caller.submit(64)["id"]
    run_one(ground, claim_one(ground))
    caller.post(f"/v1/jobs/{job}/cancel")
    rows = read_all(caller, f"/v1/jobs/{job}/results")
    assert [row["status"] for row in rows] == ["succeeded"] * 32 + ["cancelled"] * 32
    assert rows[-1]["custom_id"] == "item-63"


def test_ndjson_streams_everything_after_a_cursor(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(130)['id']}/results"
    finish(ground)
    answer = caller.get(f"{path}?format=ndjson")
    assert answer.content_type == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert rows == read_all(caller, path, limit=1000)
    cursor = caller.get(f"{path}?limit=50").json["last_id"]
    rest = caller.get(f"{path}?format=ndjson&after={cursor}").text.splitlines()
    assert [json.loads(line) for line in rest] == rows[50:]
    few = caller.get(f"{path}?format=ndjson&limit=3").text.splitlines()
    assert len(few) == 3


def test_ndjson_of_many_rows_streams_in_bounded_memory(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(6000)['id']}/results?format=ndjson"
    finish(ground)
    # The first read of a process imports 2 MB of code, which is not the stream's.
    size = len(caller.get(path).data)
    tracemalloc.start()
    answer = caller.get(path, buffered=False)
    lines = sum(chunk.count(b"\n") for chunk in answer.iter_encoded())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == 6000
    # Measured: 0.2 MB for 1,500 rows and for 24,000 alike.
    assert peak < 600_000 < size / 2


def test_csv_has_a_header_and_nothing_that_computes(caller: Caller, ground: Ground) -> None:
    evil = '=HYPERLINK("http://evil","x")'
    requests = [{"custom_id": evil, "input": {"data": "aGk="}}]
    path = f"/v1/jobs/{caller.submit(requests=requests)['id']}/results"
    run_rows(ground, custom_id=evil)
    answer = caller.get(f"{path}?format=csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["custom_id"] == "'" + evil
    assert (row["index"], row["status"], row["error_code"]) == ("0", "succeeded", "")
    assert json.loads(row["predictions"])[0]["class"] == "7"


def test_each_cell_of_a_csv_stands_under_its_name() -> None:
    job = Job(model_name="digits", model_version=1, model_digest="sha256:0")
    row = Row(
        3,
        "a",
        ItemStatus.ERRORED,
        "b",
        2,
        "[]",
        ItemError("a_code", "A sentence.", True),
        width=4,
        height=5,
        fps=6.5,
        duration_ms=7,
        metadata_json='{"k": 1}',
        input_url="https://h/a",
    )
    written = b"".join(as_csv(Export(job, "classification", (), lambda: iter([row])))).decode()
    (read,) = csv.DictReader(io.StringIO(written))
    assert read == {
        "index": "3", "custom_id": "a", "status": "errored", "model": "digits@1#sha256:0",
        "input_sha256": "b", "attempts": "2", "predictions": "[]", "error_code": "a_code",
        "error_message": "A sentence.", "error_retryable": "True", "warnings": "", "width": "4",
        "height": "5", "fps": "6.5", "duration_ms": "7", "metadata": '{"k": 1}',
        "input_url": "https://h/a",
    }  # fmt: skip


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", " =", "\u00a0=", "\u3000=", "\uff1d", "\uff0b", "\uff0d", "\uff20"],
)
def test_no_cell_of_a_csv_begins_as_a_formula(caller: Caller, ground: Ground, start: str) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}/results?format=csv"
    run_rows(ground, custom_id=f"{start}1+1")
    (row,) = csv.DictReader(io.StringIO(caller.get(path).text))
    assert row["custom_id"] == f"'{start}1+1"


def test_a_cell_that_begins_with_a_line_end_is_no_formula() -> None:
    assert [harmless(f"{start}1") for start in "\n\r\t"] == ["'\n1", "'\r1", "'\t1"]
    assert [harmless(text) for text in ("a=1", " a", "7")] == ["a=1", " a", "7"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "format=xml",
        "status=bogus",
        "after=nonsense",
        "after=1.-1",
        "after=99999999999999999999.1",
        "after=1.99999999999999999999",
        "cursor=1",
        "after=1.1&after=2.2",
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(caller: Caller, query: str) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}/results"
    problem = check_problem(caller.get(f"{path}?{query}"), 422)
    assert problem["error"]["param"] == query.partition("=")[0]
    if query == "format=xml":
        assert "json, ndjson, csv" in problem["detail"]


def test_a_job_that_has_not_begun_or_was_refused_has_no_results(
    caller: Caller, ground: Ground
) -> None:
    from jobs.intake.preparation import prepare_next

    file = caller.upload(b'{"broken', "x.jsonl")
    answer = caller.post("/v1/jobs", json={"model": "digits", "input_file_id": file})
    path = f"/v1/jobs/{answer.json['id']}/results"
    assert caller.get(path).json["data"] == []
    prepare_next(ground)
    assert caller.get(path).json["data"] == []
    assert caller.get(f"{path}?format=ndjson").text == ""


def test_erased_results_are_not_found_and_the_answer_says_why(
    caller: Caller, ground: Ground
) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}/results"
    finish(ground)
    with ground.database.write() as session:
        session.execute(update(Job).values(outputs_erased_at=1.0))
    assert "erased" in check_problem(caller.get(path), 404)["detail"]


def test_a_segment_that_cannot_be_read_is_told_before_the_stream_begins(
    caller: Caller, ground: Ground
) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}/results"
    finish(ground)
    ground.storage.delete([name for name in ground.storage.list("jobs") if "segments" in name])
    for form in ("json", "ndjson", "csv", "parquet", "label-studio"):
        check_problem(caller.get(f"{path}?format={form}"), 503)
