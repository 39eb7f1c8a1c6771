"""The two files of a finished job: whose they are, what they hold, and how long they are there."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import update

from api.files.output import _LINES_A_PAGE, _not_too_many
from jobs.aftercare.output_files import OutputFile, Part
from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel, expire_overdue
from jobs.tables import Job
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.forms.answered import BROKEN, Answer, box, read, run_job

MIXED = [
    Answer(f'{n} "ä".jpg', BROKEN if n % 3 == 0 else [box("cat", 0, 1, 2, 3, 4)]) for n in range(9)
]


def lines_of(caller: Caller, file_id: str) -> list[dict[str, Any]]:
    answer = caller.get(f"/v1/files/{file_id}/content")
    assert answer.status_code == 200, answer.text
    lines = answer.data.decode().splitlines(keepends=True)
    assert all(line.endswith("\n") for line in lines)
    assert answer.headers["Pixelmill-Rows"] == str(len(lines))
    return [json.loads(line) for line in lines]


def listed(caller: Caller, **query: Any) -> list[str]:
    answer = caller.get("/v1/files", query_string={"purpose": "batch_output", **query})
    return [each["id"] for each in answer.json["data"]]


def test_answers_are_in_one_file_and_all_other_items_in_the_other(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job_id = run_job(ground, tenant, "detection", MIXED, leave=2)
    assert caller.get(f"/v1/batches/{job_id}").json["output_file_id"] is None
    cancel(ground.database, tenant.tenant_id, job_id)
    batch, job = (caller.get(f"/v1/{name}/{job_id}").json for name in ("batches", "jobs"))
    number = job_id.removeprefix("job_")
    ids = [f"file_{number}_output", f"file_{number}_error"]
    assert [batch["output_file_id"], batch["error_file_id"]] == ids
    assert [job["output_file_id"], job["error_file_id"]] == ids
    rows = [json.loads(line) for line in read(caller, job_id, "ndjson").splitlines()]
    assert lines_of(caller, ids[0]) == [
        {
            "id": f"batch_req_{number}_{row['index']}",
            "custom_id": row["custom_id"],
            "response": {
                "status_code": 200,
                "request_id": f"req_{number}_{row['index']}",
                "body": row,
            },
            "error": None,
        }
        for row in rows
        if row["status"] == "succeeded"
    ]
    never_ran = {
        "code": "batch_cancelled",
        "message": "The job was cancelled before this item ran.",
    }
    broken = {"code": BROKEN.code, "message": BROKEN.message}
    assert lines_of(caller, ids[1]) == [
        {
            "id": f"batch_req_{number}_{row['index']}",
            "custom_id": row["custom_id"],
            "response": None,
            "error": never_ran if row["status"] == "cancelled" else broken,
        }
        for row in rows
        if row["status"] != "succeeded"
    ]


def test_a_file_is_as_long_as_it_says(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    job_id = run_job(ground, tenant, "detection", MIXED)
    job = caller.get(f"/v1/jobs/{job_id}").json
    for part in ("output", "error"):
        file = caller.get(f"/v1/files/{job[f'{part}_file_id']}").json
        content = caller.get(f"/v1/files/{file['id']}/content")
        digest = hashlib.sha256(content.data).hexdigest()
        assert (file["bytes"], file["sha256"]) == (len(content.data), digest)
        assert (file["purpose"], file["filename"]) == ("batch_output", f"{job_id}_{part}.jsonl")
        assert file["created_at"] == job["completed_at"]
        assert file["expires_at"] == job["completed_at"] + 30 * 86400
        assert file["filename"] in content.headers["Content-Disposition"]
        gzipped = caller.get(f"/v1/files/{file['id']}/content", headers={"Accept-Encoding": "gzip"})
        assert gzipped.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("answer", "part", "other"),
    [([], "output", "error"), (BROKEN, "error", "output")],
    ids=["all succeeded", "all failed"],
)
def test_a_file_without_a_line_is_not_there(
    caller: Caller, ground: Ground, tenant: NewKey, answer: Any, part: str, other: str
) -> None:
    job_id = run_job(ground, tenant, "detection", [Answer("a.jpg", answer)])
    batch = caller.get(f"/v1/batches/{job_id}").json
    assert batch[f"{other}_file_id"] is None
    assert listed(caller) == [batch[f"{part}_file_id"]]
    check_problem(caller.get(f"/v1/files/file_{job_id.removeprefix('job_')}_{other}"), 404)


def test_an_item_that_expired_is_told_so(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    job_id = run_job(ground, tenant, "detection", MIXED, leave=2)
    with ground.database.write() as session:
        session.execute(update(Job).values(expires_at=1.0))
    assert expire_overdue(ground.database) == 1
    file_id = caller.get(f"/v1/batches/{job_id}").json["error_file_id"]
    codes = [line["error"]["code"] for line in lines_of(caller, file_id)]
    assert codes == [BROKEN.code] * 3 + ["batch_expired"] * 2


def test_nobody_reads_anothers_files(
    caller: Caller, stranger: Caller, ground: Ground, tenant: NewKey
) -> None:
    run_job(ground, tenant, "detection", MIXED)
    files = listed(caller)
    assert len(files) == 2
    for file_id in files:
        check_problem(stranger.get(f"/v1/files/{file_id}"), 404, "not_found")
        check_problem(stranger.get(f"/v1/files/{file_id}/content"), 404, "not_found")
        check_problem(stranger.delete(f"/v1/files/{file_id}"), 404, "not_found")
    assert listed(stranger) == []


def test_a_file_goes_with_its_job_and_not_by_itself(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job_id = run_job(ground, tenant, "detection", MIXED)
    (file_id, _) = listed(caller)
    problem = check_problem(caller.delete(f"/v1/files/{file_id}"), 409, "conflict")
    assert f"DELETE /v1/jobs/{job_id}" in problem["detail"]
    assert len(lines_of(caller, file_id)) == 6
    assert caller.delete(f"/v1/jobs/{job_id}").status_code == 200
    assert listed(caller) == []
    for answer in (
        caller.get(f"/v1/files/{file_id}"),
        caller.get(f"/v1/files/{file_id}/content"),
        caller.delete(f"/v1/files/{file_id}"),
    ):
        assert job_id not in check_problem(answer, 404)["detail"]


def test_a_file_goes_when_the_time_of_results_is_over(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job_id = run_job(ground, tenant, "detection", MIXED)
    (file_id, _) = listed(caller)
    with ground.database.write() as session:
        session.execute(update(Job).values(output_expires_after=3600))
    file = caller.get(f"/v1/files/{file_id}").json
    assert file["expires_at"] == file["created_at"] + 3600
    with ground.database.write() as session:
        session.execute(update(Job).values(ended_at=1.0))
    assert erase_due(ground) == 1
    batch = caller.get(f"/v1/batches/{job_id}").json
    assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)
    assert listed(caller) == []
    problem = check_problem(caller.get(f"/v1/files/{file_id}/content"), 404)
    assert "erased with the results" in problem["detail"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_files_are_listed_page_by_page_in_the_order_of_their_jobs(
    caller: Caller, ground: Ground, tenant: NewKey, order: str, limit: int
) -> None:
    wanted = []
    for answers in (MIXED, MIXED[1:2], MIXED[:1], MIXED):
        job_id = run_job(ground, tenant, "detection", answers)
        batch = caller.get(f"/v1/batches/{job_id}").json
        wanted += [each for each in (batch["error_file_id"], batch["output_file_id"]) if each]
    found: list[str] = []
    query = {"purpose": "batch_output", "order": order, "limit": limit}
    while True:
        page = caller.get("/v1/files", query_string=query).json
        found += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        query["after"] = page["last_id"]
    assert found == (wanted if order == "asc" else wanted[::-1])
    # Uploads are another list, and none of them can pass for one of these.
    assert caller.get("/v1/files").json["data"] == []


def test_a_page_ends_before_too_many_lines() -> None:
    def file(lines: int) -> OutputFile:
        return OutputFile(Job(completed=lines), Part.OUTPUT)

    small, large = file(_LINES_A_PAGE // 2), file(_LINES_A_PAGE * 9)
    assert _not_too_many([small, small, small]) == [small, small]
    assert _not_too_many([large, small]) == [large]
    assert _not_too_many([small, large]) == [small]
    assert _not_too_many([]) == []


def test_a_file_is_written_while_it_is_read(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    answers = [Answer(f"{n}.jpg", [box("cat", 0, 1, 2, 3, 4)]) for n in range(3000)]
    job_id = run_job(ground, tenant, "detection", answers)
    file_id = caller.get(f"/v1/jobs/{job_id}").json["output_file_id"]
    answer = caller.get(f"/v1/files/{file_id}/content", buffered=False)
    pieces = [len(piece) for piece in answer.iter_encoded()]
    assert max(pieces) < sum(pieces) / 10


def test_an_upload_cannot_pass_for_one(caller: Caller) -> None:
    query = {"filename": "a.jsonl", "purpose": "batch_output"}
    answer = caller.post("/v1/files", query_string=query, data=b"x")
    assert check_problem(answer, 422)["error"]["param"] == "purpose"
