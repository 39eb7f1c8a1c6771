"""How refusals become errors."""

import pickle

import pytest

import pixelmill
from pixelmill import ApiError, Job, JobFailed, Result, UnexpectedAnswer
from pixelmill.wire.connection import find_connection

CASES = [
    (400, pixelmill.InvalidRequest),
    (401, pixelmill.AuthenticationError),
    (403, pixelmill.PermissionDenied),
    (404, pixelmill.NotFound),
    (409, pixelmill.Conflict),
    (410, ApiError),
    (413, pixelmill.TooLarge),
    (415, pixelmill.InvalidRequest),
    (422, pixelmill.InvalidRequest),
    (500, pixelmill.ServerError),
]


@pytest.mark.parametrize(("status", "kind"), CASES)
def test_each_status_has_its_error(server, client, say, status, kind):
    server.on("GET", "/v1/jobs/job_1", say.problem(status, "a_code", "what to do", "model"))
    with pytest.raises(kind) as caught:
        client.job("job_1")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.param) == (status, "a_code", "model")
    assert error.message == "what to do"


def test_an_error_names_the_request_that_the_server_logged(server, client, say):
    answer = say.problem(404, "not_found", "no job job_1")
    answer.headers["X-Request-Id"] = "req_9"
    server.on("GET", "/v1/jobs/job_1", answer)
    with pytest.raises(pixelmill.NotFound, match=r"no job job_1 \[request req_9\]"):
        client.job("job_1")


def test_a_page_of_a_proxy_is_an_error_and_no_crash(server, client, say):
    server.on("GET", "/v1/jobs/job_1", say.answer(403, b"<html>go away</html>"))
    with pytest.raises(pixelmill.PermissionDenied, match="403"):
        client.job("job_1")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"hello": "world"}'])
def test_a_server_that_is_not_pixelmill_is_recognised(server, client, say, body):
    server.on("GET", "/v1/jobs/job_1", say.answer(200, body))
    with pytest.raises(UnexpectedAnswer, match="Pixelmill"):
        client.job("job_1")


def test_a_job_keeps_what_this_version_does_not_know(server, client, say):
    server.on(
        "GET", "/v1/jobs/job_1", say.job(status="completed", shiny="new", queue=None, metadata=None)
    )
    job = client.job("job_1")
    assert job.raw["shiny"] == "new"
    assert (job.model.name, str(job.model)) == ("digits", "digits@1")
    # What is null is what it would be if it were left out.
    assert (job.queue.position, job.metadata) == (None, {})
    assert isinstance(job.created_at, int)


def test_faults_of_a_manifest_are_listed_in_either_form(say):
    fault = {"code": "invalid_json", "message": "no JSON", "param": None, "line": 3}
    for errors in ([fault], {"object": "list", "data": [fault]}):
        assert Job.from_raw(say.job(status="failed", errors=errors).body).errors == [fault]
    assert Job.from_raw(say.job().body).errors == []


def test_a_result_is_typed(say):
    good = Result.from_raw(say.result(3))
    assert (good.index, good.custom_id, good.succeeded, good.error) == (3, "3.png", True, None)
    bad = Result.from_raw(say.result(4, "errored", extra=1))
    assert (bad.error.code, bad.error.retryable, bad.predictions) == ("undecodable", False, None)


def test_check_raises_for_a_job_with_failed_items(say):
    job = Job.from_raw(say.job(status="completed", completed=9, failed=1, outcome="partial").body)
    with pytest.raises(JobFailed, match="1 of 10 items failed"):
        job.check()
    good = Job.from_raw(say.job(status="completed", completed=10).body)
    assert good.check() is good


def test_the_key_is_sent_and_never_shown(server, client, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    client.job("job_1")
    assert server.seen[0].headers["authorization"] == "Bearer pm_live_test_secret"
    assert "secret" not in repr(find_connection("http://a", "pm_live_test_secret"))


def test_an_id_cannot_reach_another_call(server, client, say):
    with pytest.raises(pixelmill.NotFound):
        client.cancel("../keys?x=")
    assert server.seen[0].path == "/v1/jobs/..%2Fkeys%3Fx%3D/cancel"


def test_every_error_travels_between_processes(say):
    job = Job.from_raw(say.job(status="completed", completed=9, failed=1, outcome="partial").body)
    refused = pixelmill.RateLimited(
        "too many", status=429, code="rate_limited", param="x", request_id="r", retry_after=2.5
    )
    plain = [kind("why") for kind in (pixelmill.InvalidInput, UnexpectedAnswer)]
    for error in [refused, JobFailed(job), pixelmill.WaitTimeout(job, 3), *plain]:
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert {**vars(again)} == {**vars(error)}
