"""One prediction, now: waited for, and otherwise a job like any other."""

import io
import threading
import time
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.tables import Job
from tests.integration.api.callers import DATA, Caller, check_problem, stored
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.api.jobs.test_submission import row_of

BODY = {"model": "digits", "input": {"data": DATA}}


def in_a_moment(ground: Ground, caller: Caller, action: Any = None) -> threading.Thread:
    """Do what a worker does as soon as there is a job."""

    def wait_for_a_job() -> None:
        while not (jobs := caller.get("/v1/jobs").json["data"]):
            time.sleep(0.02)
        action(jobs[0]["id"]) if action else finish(ground)

    thread = threading.Thread(target=wait_for_a_job)
    thread.start()
    return thread


def test_a_prediction_answers_with_its_result(caller: Caller, ground: Ground) -> None:
    worker = in_a_moment(ground, caller)
    answer = caller.post("/v1/predictions", json=BODY | {"params": {"top_k": 1}})
    worker.join()
    assert answer.status_code == 200
    result = answer.json
    assert (result["index"], result["status"], result["predictions"]) == (0, "succeeded", [])
    assert result["model"].startswith("digits@1#sha256:")
    job = row_of(ground, result["job_id"])
    assert answer.headers["Content-Location"] == f"/v1/jobs/{job.id}"
    assert (job.total, job.priority) == (1, "high")


def test_a_prediction_from_a_form_is_named_by_its_file(caller: Caller, ground: Ground) -> None:
    worker = in_a_moment(ground, caller)
    data = {"file": (io.BytesIO(b"image"), "a.png"), "model": "digits", "params": '{"top_k": 2}'}
    answer = caller.post("/v1/predictions", data=data, content_type="multipart/form-data")
    worker.join()
    assert answer.status_code == 200, answer.text
    assert row_of(ground, answer.json["job_id"]).params["top_k"] == 2


def test_a_prediction_that_takes_too_long_is_a_job(caller: Caller) -> None:
    began = time.monotonic()
    answer = caller.post("/v1/predictions", json=BODY, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 10
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.json["status"] == "in_progress"
    at_once = caller.post("/v1/predictions", json=BODY, headers={"Prefer": "wait=0"})
    assert at_once.status_code == 202


def test_a_prediction_that_is_cancelled_meanwhile_says_so(caller: Caller, ground: Ground) -> None:
    def action(job_id: str) -> Job:
        return cancel(ground.database, caller.tenant_id, job_id)

    worker = in_a_moment(ground, caller, action)
    answer = caller.post("/v1/predictions", json=BODY)
    worker.join()
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")


def test_a_repeated_prediction_is_the_same_job(caller: Caller, ground: Ground) -> None:
    headers = {"Idempotency-Key": "one", "Prefer": "wait=0"}
    first = caller.post("/v1/predictions", json=BODY, headers=headers).json["id"]
    finish(ground)
    again = caller.post("/v1/predictions", json=BODY, headers=headers)
    assert (again.status_code, again.json["job_id"]) == (200, first)
    other = BODY | {"params": {"top_k": 2}}
    answer = caller.post("/v1/predictions", json=other, headers=headers)
    check_problem(answer, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": {"data": DATA}}, 422, "model"),
        ({"model": "digits"}, 422, "input"),
        ({"model": "digits", "input": {}}, 422, "input"),
        ({"model": "digits", "input": {"data": DATA, "url": "https://e.com"}}, 422, "input"),
        ({"model": "digits", "input": {"data": "!"}}, 422, "input.data"),
        ({"model": "digits", "input": {"path": "/etc/passwd"}}, 422, "input"),
        ({"model": "digits", "input": {"url": "file:///etc/passwd"}}, 422, "input.url"),
        ({"model": "nope", "input": {"data": DATA}}, 404, "model"),
        (BODY | {"params": {"bogus": 1}}, 422, "params.bogus"),
        (BODY | {"requests": []}, 422, "requests"),
    ],
)
def test_a_bad_prediction_is_refused_and_leaves_nothing(
    caller: Caller, ground: Ground, body: dict[str, Any], status: int, param: str
) -> None:
    problem = check_problem(caller.post("/v1/predictions", json=body), status)
    assert problem["error"]["param"] == param
    assert stored(ground)["jobs"] == 0
    assert stored(ground)["blobs"] == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "digits"}, 422),
        ({"file": (io.BytesIO(b"x"), "a.png")}, 422),
        ({"file": (io.BytesIO(b"x"), "a.png"), "model": "digits", "params": "{"}, 400),
        ({"file": (io.BytesIO(b"x"), "a.png"), "model": "digits", "params": "[]"}, 422),
        ({"file": (io.BytesIO(b"x"), "a.png"), "model": b"\xff\xfe"}, 422),
        ({"file": (io.BytesIO(b"x"), "a.png"), "model": "di\0gits"}, 422),
    ],
)
def test_a_bad_form_is_refused_and_leaves_nothing(
    caller: Caller, ground: Ground, fields: dict[str, Any], status: int
) -> None:
    # The test client closes what it sends, so each run needs streams of its own.
    fields = {
        name: (io.BytesIO(b"x"), "a.png") if isinstance(value, tuple) else value
        for name, value in fields.items()
    }
    if fields.get("model") == b"\xff\xfe":
        fields["model"] = (io.BytesIO(b"\xff\xfe"), "model.txt")
    answer = caller.post("/v1/predictions", data=fields, content_type="multipart/form-data")
    check_problem(answer, status)
    assert stored(ground)["jobs"] == 0
    assert stored(ground)["blobs"] == []
