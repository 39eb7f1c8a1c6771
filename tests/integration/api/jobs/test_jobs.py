"""Looking at jobs: one, many, until they are over; and cancelling them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import update

from api.web.waiting import HELD, Wait, wanted_wait
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.presence.workers import announce
from jobs.queue.completion import expire_overdue
from jobs.queue.scheduling import claim, has_work
from jobs.queue.turns import Line
from jobs.tables import Job
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem, job_body, stored
from tests.integration.jobs.builders import claim_one, run_one


def finish_when_there(ground: Ground) -> None:
    """Wait for a job, let its caller wait a little too, and run it."""
    while not has_work(ground.database, "cpu"):
        time.sleep(0.01)
    time.sleep(0.3)
    finish(ground)


def finish(ground: Ground, status: ItemStatus = ItemStatus.SUCCEEDED) -> None:
    """Run all shards that there are, as a worker does."""
    while (lease := claim(ground.database, Line("cpu"), "node-1", 30)) is not None:
        run_one(ground, lease, status)


def test_a_finished_job_shows_its_counts_times_and_outcome(caller: Caller, ground: Ground) -> None:
    job_id = caller.submit(70)["id"]
    run_one(ground, claim_one(ground), ItemStatus.ERRORED)
    finish(ground)
    answer = caller.get(f"/v1/jobs/{job_id}")
    job = answer.json
    assert (job["status"], job["outcome"]) == ("completed", "partial")
    counts = job["request_counts"]
    assert (counts["failed"], counts["completed"], counts["processing"]) == (32, 38, 0)
    assert job["created_at"] <= job["in_progress_at"] <= job["completed_at"]
    assert job["last_progress_at"] is not None
    assert {job[f"{word}_at"] for word in ("failed", "cancelled", "cancelling", "expired")} == {
        None
    }
    assert job["queue"] == {"position": None, "eta_seconds": None}
    assert "Retry-After" not in answer.headers


def test_a_running_job_says_when_it_may_be_done(caller: Caller, ground: Ground) -> None:
    job_id = caller.submit(64)["id"]
    run_one(ground, claim_one(ground))
    announce(ground.database, "host-1/cpu0", "cpu", "1")
    queue = caller.get(f"/v1/jobs/{job_id}").json["queue"]
    assert queue["position"] == 0
    assert queue["eta_seconds"] in (0, 1)


def test_the_queue_position_counts_the_jobs_ahead(caller: Caller, ground: Ground) -> None:
    caller.submit(64)
    claim_one(ground)
    second, third = caller.submit(), caller.submit()
    assert second["queue"]["position"] is not None
    assert third["queue"]["position"] is not None


def test_batches_are_the_same_jobs_under_openais_name(caller: Caller) -> None:
    job = caller.submit()
    batch = caller.get(f"/v1/batches/{job['id']}").json
    assert batch["object"] == "batch"
    # OpenAI's clients read these as text, and always find them.
    told = {name: batch[name] for name in ("model", "completion_window", "input_file_id")}
    assert told == {"model": "digits@1", "completion_window": "604800s", "input_file_id": ""}
    assert {**batch, **{name: job[name] for name in ("object", *told)}} == job
    (listed,) = caller.get("/v1/batches").json["data"]
    assert listed["object"] == "batch"
    assert caller.get(f"/v1/batches/{job['id']}/results").json["object"] == "list"
    assert caller.post(f"/v1/batches/{job['id']}/cancel").json["object"] == "batch"


def test_an_unchanged_job_is_answered_304(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(64)['id']}"
    run_one(ground, claim_one(ground))
    first = caller.get(path)
    etag = first.headers["ETag"]
    # The estimate moves on with time; that alone is no news.
    time.sleep(1.1)
    same = caller.get(path, headers={"If-None-Match": etag})
    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == etag
    assert same.headers["Retry-After"]
    assert caller.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    finish(ground)
    changed = caller.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_an_etag_tells_a_stranger_nothing(caller: Caller, stranger: Caller) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    etag = caller.get(path).headers["ETag"]
    check_problem(stranger.get(path, headers={"If-None-Match": etag}), 404)
    check_problem(stranger.get(path, headers={"If-None-Match": "*"}), 404)


def test_a_held_answer_comes_as_soon_as_the_job_is_over(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    worker = threading.Timer(0.3, finish, [ground])
    worker.start()
    began = time.monotonic()
    answer = caller.get(path, headers={"Prefer": "respond-async, wait=30"})
    took = time.monotonic() - began
    worker.join()
    assert answer.json["status"] == "completed"
    assert 0.2 < took < 15
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_a_held_answer_comes_at_the_latest_when_it_was_asked_for(caller: Caller) -> None:
    began = time.monotonic()
    answer = caller.post("/v1/jobs", json=job_body(), headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 10
    assert (answer.status_code, answer.json["status"]) == (202, "in_progress")
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_no_answer_is_held_as_long_as_a_proxy_waits_for_it(app: APIFlask) -> None:
    with app.test_request_context(headers={"Prefer": "wait=3600"}):
        assert wanted_wait() == Wait(50, asked=True)


def test_so_many_answers_are_held_at_once_and_no_more(
    caller: Caller, ground: Ground, app: APIFlask, tenant: NewKey
) -> None:
    most = 4
    app.extensions[HELD] = BoundedSemaphore(most)
    path = f"/v1/jobs/{caller.submit()['id']}"

    def ask(_: int) -> bool:
        answer = Caller(app, tenant).get(path, headers={"Prefer": "wait=2"})
        assert answer.status_code == 200
        return "Preference-Applied" in answer.headers

    with ThreadPoolExecutor(most + 3) as threads:
        held = list(threads.map(ask, range(most + 3)))
    # Who is not held is answered at once, and not told otherwise.
    assert held.count(True) == most
    # Every place is free again, also after an answer that was an error.
    check_problem(caller.get("/v1/jobs/nonsense", headers={"Prefer": "wait=1"}), 404)
    assert app.extensions[HELD]._value == most


def test_a_submission_may_wait_for_its_end_and_is_still_202(caller: Caller, ground: Ground) -> None:
    worker = threading.Thread(target=finish_when_there, args=[ground])
    worker.start()
    answer = caller.post("/v1/jobs", json=job_body(), headers={"Prefer": "wait=30"})
    worker.join()
    assert (answer.status_code, answer.json["status"]) == (202, "completed")


@pytest.mark.parametrize("preference", ["wait", "wait=soon", "wait=-1", "await=5", "wait=0.5x"])
def test_a_preference_that_makes_no_sense_is_ignored(caller: Caller, preference: str) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    answer = caller.get(path, headers={"Prefer": preference})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


def test_jobs_are_listed_newest_first_and_page_by_page(caller: Caller, ground: Ground) -> None:
    ids = [caller.submit()["id"] for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = caller.get("/v1/jobs", query_string=query).json
        seen += [job["id"] for job in page["data"]]
        query["after"] = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == sorted(ids, reverse=True)


def test_jobs_are_found_by_status_and_model(caller: Caller, ground: Ground) -> None:
    caller.submit()
    finish(ground)
    running = caller.submit()["id"]
    for query, expected in [
        ("status=in_progress", [running]),
        ("status=expired", []),
        ("status=in_progress&model=digits", [running]),
        ("model=other", []),
    ]:
        page = caller.get(f"/v1/jobs?{query}").json
        assert [job["id"] for job in page["data"]] == expected
        assert (page["has_more"], page["last_id"]) == (False, expected[-1] if expected else None)


def test_an_operator_lists_the_jobs_of_others_when_asked_to(
    caller: Caller, stranger: Caller, operator: Caller
) -> None:
    first, second = caller.submit()["id"], stranger.submit()["id"]
    assert operator.get("/v1/jobs").json["data"] == []
    every = operator.get("/v1/jobs?tenant=*&order=asc").json["data"]
    assert [(job["id"], job["tenant"]) for job in every] == [(first, "acme"), (second, "other")]
    (theirs,) = operator.get("/v1/jobs?tenant=other").json["data"]
    assert (theirs["id"], theirs["tenant"]) == (second, "other")
    problem = check_problem(operator.get("/v1/jobs?tenant=nobody"), 404, "not_found")
    assert problem["error"]["param"] == "tenant"
    # The list alone: what a job holds is its tenant's.
    check_problem(operator.get(f"/v1/jobs/{second}"), 404)
    for asked in ("*", "other", "acme"):
        check_problem(caller.get(f"/v1/jobs?tenant={asked}"), 403)
    assert caller.get("/v1/jobs").json["data"][0]["tenant"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "status=queued", "after=1", "sort=asc", "status=a&status=b"]
)
def test_a_list_query_that_makes_no_sense_is_refused_by_name(caller: Caller, query: str) -> None:
    problem = check_problem(caller.get(f"/v1/jobs?{query}"), 422)
    assert problem["error"]["param"] == query.partition("=")[0]


def test_cancelling_keeps_what_is_done(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit(250)['id']}"
    run_one(ground, claim_one(ground))
    running = claim_one(ground)
    answer = caller.post(f"{path}/cancel")
    assert (answer.status_code, answer.json["status"]) == (200, "cancelling")
    assert answer.json["cancelling_at"] is not None
    assert caller.post(f"{path}/cancel").json["status"] == "cancelling"
    run_one(ground, running, ItemStatus.CANCELLED)
    job = caller.get(path).json
    assert (job["status"], job["request_counts"]["completed"]) == ("cancelled", 32)
    assert job["cancelled_at"] is not None
    assert caller.post(f"{path}/cancel").json["status"] == "cancelled"


def test_a_job_that_is_over_cannot_be_cancelled(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    finish(ground)
    assert "completed" in check_problem(caller.post(f"{path}/cancel"), 409, "conflict")["detail"]


def test_an_expired_job_says_so(caller: Caller, ground: Ground) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    with ground.database.write() as session:
        session.execute(update(Job).values(expires_at=1.0))
    assert expire_overdue(ground.database) == 1
    job = caller.get(path).json
    assert (job["status"], job["request_counts"]["expired"]) == ("expired", 1)
    assert job["expired_at"] is not None
    assert job["cancelling_at"] is None


@pytest.mark.parametrize("kind", ["job", "batch"])
def test_a_deleted_job_is_gone_and_its_receipt_can_be_had_again(
    caller: Caller, ground: Ground, kind: str
) -> None:
    path = f"/v1/{'batches' if kind == 'batch' else 'jobs'}/{caller.submit(3)['id']}"
    first, again = caller.delete(path), caller.delete(path)
    receipt = first.json
    assert (first.status_code, again.json) == (200, receipt)
    assert (receipt["object"], receipt["deleted"]) == (kind, True)
    assert receipt["erased_at"] >= receipt["deleted_at"] > 0
    for asked in (caller.get(path), caller.get(f"{path}/results"), caller.post(f"{path}/cancel")):
        check_problem(asked, 404, "not_found")
    assert caller.get("/v1/jobs").json["data"] == []
    assert stored(ground)["blobs"] == []


def test_a_strangers_job_cannot_be_deleted(caller: Caller, stranger: Caller) -> None:
    job_id = caller.submit()["id"]
    check_problem(stranger.delete(f"/v1/jobs/{job_id}"), 404, "not_found")
    assert caller.get(f"/v1/jobs/{job_id}").status_code == 200


def test_jobs_are_found_by_words_of_their_metadata(caller: Caller, stranger: Caller) -> None:
    named = caller.submit(metadata={"name": 'Mond"ay 50 %'})["id"]
    caller.submit(metadata={"name": "Tuesday"})
    for text in ("monD", 'd"ay', "50 %"):
        found = caller.get("/v1/jobs", query_string={"text": text}).json["data"]
        assert [job["id"] for job in found] == [named], text
    assert caller.get("/v1/jobs", query_string={"text": "_onday"}).json["data"] == []
    assert stranger.get("/v1/jobs", query_string={"text": "mond"}).json["data"] == []
