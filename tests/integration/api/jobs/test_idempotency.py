"""One key, one job: however often, and however many at once."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select, update

from jobs.base.bootstrap import Ground
from jobs.base.states import VersionState
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import DATA, Caller, check_problem, job_body, stored
from tests.integration.api.jobs.test_submission import zip_of

AT_ONCE = 50
ONCE = {"Idempotency-Key": "once"}


def test_a_repeated_request_is_answered_with_the_first_ones_job(
    caller: Caller, ground: Ground
) -> None:
    headers = {"Idempotency-Key": "k" * 255}
    first = caller.post("/v1/jobs", json=job_body(2), headers=headers)
    before = stored(ground)
    again = caller.post("/v1/jobs", json=job_body(2), headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stored(ground) == before
    # The same meaning in another order of members is the same request.
    turned = dict(reversed(job_body(2).items()))
    assert caller.post("/v1/jobs", json=turned, headers=headers).json["id"] == first.json["id"]


def test_another_request_under_a_used_key_is_refused(caller: Caller, ground: Ground) -> None:
    headers = {"Idempotency-Key": "once"}
    assert caller.post("/v1/jobs", json=job_body(), headers=headers).status_code == 202
    before = stored(ground)
    for path, body in [
        ("/v1/jobs", job_body(2)),
        ("/v1/jobs", job_body(priority="high")),
        ("/v1/batches", job_body()),
    ]:
        answer = caller.post(path, json=body, headers=headers)
        check_problem(answer, 422, "idempotency_key_reused")
    assert stored(ground) == before


def test_a_key_that_cannot_be_stored_is_refused(caller: Caller, ground: Ground) -> None:
    for key in ("", "k" * 256, "a\tb"):
        answer = caller.post("/v1/jobs", json=job_body(), headers={"Idempotency-Key": key})
        assert check_problem(answer, 422)["error"]["param"] == "Idempotency-Key"
    assert stored(ground)["jobs"] == 0


def test_a_refused_request_leaves_its_key_free(caller: Caller) -> None:
    headers = {"Idempotency-Key": "retry"}
    answer = caller.post("/v1/jobs", json=job_body(model="nope"), headers=headers)
    check_problem(answer, 404)
    assert caller.post("/v1/jobs", json=job_body(), headers=headers).status_code == 202


def test_fifty_at_once_under_one_key_make_one_job(
    app: APIFlask, ground: Ground, tenant: NewKey, caller: Caller
) -> None:
    barrier = Barrier(AT_ONCE)

    def post(_: int) -> tuple[int, str]:
        one = Caller(app, tenant)
        barrier.wait()
        headers = {"Idempotency-Key": "race"}
        answer = one.post("/v1/jobs", json=job_body(40), headers=headers)
        return answer.status_code, answer.json.get("id", answer.text)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = set(threads.map(post, range(AT_ONCE)))
    assert len(answers) == 1
    ((status, job_id),) = answers
    assert status == 202
    left = stored(ground)
    assert (left["jobs"], left["idempotency_keys"]) == (1, 1)
    # Those who came too late have taken their manifests and packs away again.
    assert len(left["blobs"]) == 2
    assert all(name.startswith(f"jobs/{job_id}/") for name in left["blobs"])
    with ground.database.read() as session:
        (job,) = session.scalars(select(Job)).all()
    assert job.pending_shards == left["shards"]


def test_a_job_whose_answer_was_lost_is_found_by_its_key(
    caller: Caller, stranger: Caller, digits_model: Any
) -> None:
    caller.submit()
    headers = {"Idempotency-Key": "lost & found"}
    job = caller.post("/v1/jobs", json=job_body(), headers=headers).json
    # The same key is another tenant's too.
    theirs = stranger.post("/v1/jobs", json=job_body(), headers=headers).json
    query = {"idempotency_key": "lost & found"}
    for one, expected in ((caller, job), (stranger, theirs)):
        (found,) = one.get("/v1/jobs", query_string=query).json["data"]
        assert found["id"] == expected["id"]
    assert caller.get("/v1/jobs?idempotency_key=other").json["data"] == []
    caller.delete(f"/v1/jobs/{job['id']}")
    assert caller.get("/v1/jobs", query_string=query).json["data"] == []


def send_form(caller: Caller, *files: tuple[bytes, str], key: str = "form") -> Any:
    data = {
        "files": [(io.BytesIO(content), name) for content, name in files],
        "job": json.dumps({"model": "digits"}),
    }
    headers = {"Idempotency-Key": key}
    return caller.post("/v1/jobs", data=data, content_type="multipart/form-data", headers=headers)


def test_a_form_is_known_by_its_bytes_and_not_by_its_boundary(
    caller: Caller, ground: Ground
) -> None:
    first = send_form(caller, (b"one", "a.png"), (b"two", "b.png"))
    before = stored(ground)
    again = send_form(caller, (b"one", "a.png"), (b"two", "b.png"))
    assert first.json["id"] == again.json["id"]
    for files in (
        [(b"one", "a.png"), (b"TWO", "b.png")],
        [(b"one", "a.png"), (b"two", "c.png")],
        [(b"two", "b.png"), (b"one", "a.png")],
    ):
        check_problem(send_form(caller, *files), 422, "idempotency_key_reused")
    assert stored(ground) == before


def test_a_repeated_form_of_an_archive_keeps_one_file(caller: Caller, ground: Ground) -> None:
    archive = (zip_of("a.png"), "all.zip")
    first = send_form(caller, archive)
    before = stored(ground)
    again = send_form(caller, archive)
    assert first.json["id"] == again.json["id"]
    assert stored(ground) == before
    assert before["files"] == 1


def predict_form(caller: Caller, content: bytes) -> Any:
    data = {"model": "digits", "file": (io.BytesIO(content), "a.png")}
    return caller.post(
        "/v1/predictions",
        data=data,
        content_type="multipart/form-data",
        headers={"Idempotency-Key": "form", "Prefer": "wait=0"},
    )


def predict(caller: Caller, **members: Any) -> Any:
    body = {"model": "digits", "input": {"data": DATA}} | members
    headers = {"Idempotency-Key": "json", "Prefer": "wait=0"}
    return caller.post("/v1/predictions", json=body, headers=headers)


@pytest.mark.parametrize(
    ("send", "send_another"),
    [
        (
            lambda caller: caller.post("/v1/jobs", json=job_body(), headers=ONCE),
            lambda caller: caller.post("/v1/jobs", json=job_body(2), headers=ONCE),
        ),
        (
            lambda caller: send_form(caller, (b"one", "a.png"), (b"two", "b.png")),
            lambda caller: send_form(caller, (b"one", "a.png"), (b"2", "b.png")),
        ),
        (
            lambda caller: send_form(caller, (zip_of("a.png"), "all.zip")),
            lambda caller: send_form(caller, (zip_of("b.png"), "all.zip")),
        ),
        (predict, lambda caller: predict(caller, params={"top_k": 1})),
        (
            lambda caller: predict_form(caller, b"one"),
            lambda caller: predict_form(caller, b"two"),
        ),
    ],
    ids=["JSON", "form", "form of an archive", "prediction", "form of a prediction"],
)
def test_the_first_answer_holds_though_its_version_was_deleted_since(
    caller: Caller,
    ground: Ground,
    send: Callable[[Caller], Any],
    send_another: Callable[[Caller], Any],
) -> None:
    first = send(caller)
    assert first.status_code == 202
    with ground.database.write() as session:
        session.execute(update(ModelVersion).values(state=VersionState.DELETED))
    before = stored(ground)
    again = send(caller)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    check_problem(send_another(caller), 422, "idempotency_key_reused")
    assert stored(ground) == before
