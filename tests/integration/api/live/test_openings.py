"""What a stream begins with: where a job stands, or what its reader has missed; as plain WSGI."""

import json
import sys
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import update
from werkzeug.test import TestResponse

from api.live import feed as feeds
from api.live import opening
from api.live.answer import Live, Watch
from api.live.opening import Opening, open_job
from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.tables import Delivery, Job
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.live.reading import Told, parse, words
from tests.integration.jobs.builders import claim_one, run_one


def told(answer: TestResponse) -> list[Told]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/event-stream; charset=utf-8"
    return list(parse(answer.text.splitlines()))


def after(caller: Caller, path: str, last: Any) -> TestResponse:
    return caller.get(path, headers={"Last-Event-ID": str(last)})


def test_a_stream_of_a_job_begins_with_where_it_stands(caller: Caller, ground: Ground) -> None:
    job = caller.submit(3)["id"]
    path = f"/v1/jobs/{job}/events"
    (begun,) = told(caller.get(path))
    assert begun.event == begun.body["type"] == "job.in_progress"
    assert begun.body["data"]["request_counts"]["processing"] == 3
    run_one(ground, claim_one(ground))
    (ended,) = told(caller.get(path))
    assert ended.event == "job.completed"
    assert (ended.job, ended.body["data"]["outcome"]) == (job, "succeeded")


def test_what_was_missed_is_told_once_and_in_order(caller: Caller, ground: Ground) -> None:
    job = caller.submit()["id"]
    path = f"/v1/jobs/{job}/events"
    run_one(ground, claim_one(ground))
    whole = told(after(caller, path, 0))
    assert words(whole) == ["job.created", "job.in_progress", "job.completed"]
    assert [each.body["data"]["status"] for each in whole] == [
        "validating",
        "in_progress",
        "completed",
    ]
    assert words(told(after(caller, path, whole[1].id))) == ["job.completed"]


def test_who_knows_the_end_is_told_to_come_no_more(caller: Caller, ground: Ground) -> None:
    """204 is what ends an EventSource for good."""
    job = caller.submit()["id"]
    run_one(ground, claim_one(ground))
    (end,) = told(caller.get(f"/v1/jobs/{job}/events"))
    answer = after(caller, f"/v1/jobs/{job}/events", end.id)
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_stream_of_all_jobs_begins_now_and_resumes_exactly(
    caller: Caller, ground: Ground
) -> None:
    caller.submit()
    now = caller.get("/v1/events")
    assert told(now) == []
    (place,) = [line for line in now.text.splitlines() if line.startswith("id: ")]
    job = caller.submit()["id"]
    caller.post(f"/v1/jobs/{job}/cancel")
    caller.delete(f"/v1/jobs/{job}")
    missed = told(after(caller, "/v1/events", place.removeprefix("id: ")))
    assert words(missed) == ["job.created", "job.in_progress", "job.cancelled", "job.deleted"]
    assert {each.job for each in missed} == {job}
    assert words(told(after(caller, "/v1/events", missed[2].id))) == ["job.deleted"]
    assert told(after(caller, "/v1/events", missed[3].id)) == []


def test_a_stream_of_a_job_goes_on_after_all_that_its_tenant_has_seen(
    caller: Caller, ground: Ground, tenant: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each look would begin as far behind as the job does."""
    job = caller.submit()["id"]
    caller.submit()
    with ground.database.read() as session:
        for after in (None, 1):
            begun = open_job(session, tenant.tenant_id, job, after)
            assert begun is not None
            assert begun.number == 4
        # Something happened to this job between the two looks.
        monkeypatch.setattr(opening, "last_number", lambda *_: 1)
        begun = open_job(session, tenant.tenant_id, job, None)
        assert begun is not None
        assert begun.number == 2


def test_an_event_is_what_the_webhook_of_it_is(caller: Caller, ground: Ground) -> None:
    hook = {"url": "https://example.org/hook", "events": ["job.completed"]}
    job = caller.submit(webhook=hook)["id"]
    run_one(ground, claim_one(ground))
    (event,) = told(caller.get(f"/v1/jobs/{job}/events"))
    with ground.database.read() as session:
        sent = session.query(Delivery).one().body

    body = json.loads(sent)
    del body["data"]["sequence"]
    assert event.body == body


def test_a_cancelling_job_says_so(caller: Caller, ground: Ground) -> None:
    job = caller.submit()["id"]
    claim_one(ground)
    caller.post(f"/v1/jobs/{job}/cancel")
    (begun,) = told(caller.get(f"/v1/jobs/{job}/events"))
    assert (begun.event, begun.body["data"]["status"]) == ("job.in_progress", "cancelling")


def test_a_job_of_before_events_had_numbers_is_followed_all_the_same(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job = caller.submit()["id"]
    names = ("created_event", "begun_event", "last_event")
    with ground.database.write() as session:
        session.execute(update(Job).values(dict.fromkeys(names)))
    path = f"/v1/jobs/{job}/events"
    (begun,) = told(caller.get(path))
    assert (begun.event, begun.id) == ("job.in_progress", "0")
    cancel(ground.database, tenant.tenant_id, job)
    assert words(told(after(caller, path, begun.id))) == ["job.cancelled"]


@pytest.mark.parametrize("missed", [None, "a number that was never given"])
def test_who_has_missed_too_much_is_told_so(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, missed: str | None
) -> None:
    monkeypatch.setattr(opening, "MOST_MISSED", 3)
    caller.submit()
    caller.submit()
    (reset,) = told(after(caller, "/v1/events", 99 if missed else 0))
    assert (reset.event, reset.id, reset.body["data"]) == ("reset", "4", None)
    assert told(after(caller, "/v1/events", 4)) == []
    assert len(told(after(caller, "/v1/events", 1))) == 3


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "٣", "9" * 19])
def test_a_place_that_no_stream_has_named_is_refused(caller: Caller, last: str) -> None:
    answer = caller.get("/v1/events", headers={"Last-Event-ID": last.encode().decode("latin-1")})
    assert check_problem(answer, 422)["error"]["param"] == "Last-Event-ID"


def test_another_tenants_job_is_not_there_and_its_events_are_not_told(
    caller: Caller, stranger: Caller
) -> None:
    job = caller.submit()["id"]
    check_problem(stranger.get(f"/v1/jobs/{job}/events"), 404, "not_found")
    check_problem(after(stranger, f"/v1/jobs/{job}/events", 0), 404, "not_found")
    check_problem(stranger.get("/v1/jobs/job_none/events"), 404, "not_found")
    assert told(after(stranger, "/v1/events", 0)) == []
    caller.delete(f"/v1/jobs/{job}")
    check_problem(caller.get(f"/v1/jobs/{job}/events"), 404, "not_found")


def test_streams_are_kept_by_nobody_on_their_way(caller: Caller) -> None:
    answer = caller.get("/v1/events")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in answer.headers
    assert answer.text.startswith("retry: ")
    head = caller.open("HEAD", "/v1/events")
    assert (head.status_code, head.mimetype) == (200, "text/event-stream")


@pytest.mark.parametrize(
    ("limit", "status"), [("MOST_OF_A_TENANT", 429), ("MOST_STREAMS", 503)], ids=["tenant", "all"]
)
def test_no_more_streams_are_open_than_there_are_places(
    caller: Caller, stranger: Caller, monkeypatch: pytest.MonkeyPatch, limit: str, status: int
) -> None:
    monkeypatch.setattr(feeds, limit, 2)
    open_ones = [caller.get("/v1/events", buffered=False) for _ in range(2)]
    refused = caller.get("/v1/events")
    check_problem(refused, status)
    assert refused.headers["Retry-After"]
    assert stranger.get("/v1/events").status_code == (200 if status == 429 else 503)
    open_ones[0].close()
    assert caller.get("/v1/events").status_code == 200


def test_a_batch_has_a_stream_too(caller: Caller) -> None:
    job = caller.submit()["id"]
    assert words(told(caller.get(f"/v1/batches/{job}/events"))) == ["job.in_progress"]


def test_the_document_of_calls_tells_of_streams(app: APIFlask) -> None:
    document = app.test_client().get("/openapi.json").json
    for path in ("/v1/events", "/v1/jobs/{job_id}/events"):
        call = document["paths"][path]["get"]
        assert list(call["responses"]["200"]["content"]) == ["text/event-stream"]
        assert [each["name"] for each in call["parameters"] if each["in"] == "header"] == [
            "Last-Event-ID"
        ]
    types = document["components"]["schemas"]["JobEvent"]["properties"]["type"]["enum"]
    assert {"job.created", "job.progress", "job.deleted", "reset"} <= set(types)


def test_a_stream_does_not_keep_what_it_has_begun_with() -> None:
    """It may have megabytes, of events that were missed, and a stream stays open for days."""
    text = bytes(range(256))
    references = sys.getrefcount(text)
    live = Live(Watch("ten_1", "key_1", None), Opening(text, 7))
    assert b"".join(live.response) == text
    assert sys.getrefcount(text) == references
