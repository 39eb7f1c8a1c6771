"""When the client asks again, and when it must not."""

import pytest

from pixelmill import (
    Client,
    Conflict,
    ConnectionFailed,
    NotFound,
    RateLimited,
    RetryPolicy,
    ServerError,
)
from pixelmill.wire.retrying import parse_retry_after


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_question_is_repeated_while_the_server_is_briefly_away(server, client, say, status):
    server.on("GET", "/v1/jobs/job_1", say.answer(status), say.answer(status), say.job())
    assert client.job("job_1").id == "job_1"
    assert len(server.seen) == 3


def test_a_broken_connection_is_tried_again(server, client, say):
    server.on("GET", "/v1/jobs/job_1", say.drop, say.job())
    assert client.job("job_1").id == "job_1"


def test_a_submission_is_repeated_under_one_idempotency_key(server, client, say):
    server.on("POST", "/v1/jobs", say.drop, say.answer(503), say.job())
    client.submit(["https://example.org/a.png"], model="digits")
    keys = {seen.headers["idempotency-key"] for seen in server.seen}
    assert len(server.seen) == 3
    assert len(keys) == 1
    assert len({seen.body for seen in server.seen}) == 1


def test_two_submissions_have_two_keys(server, client, say):
    server.on("POST", "/v1/jobs", say.job())
    for _ in range(2):
        client.submit(["https://example.org/a.png"], model="digits")
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 2


def test_a_submission_whose_answer_was_lost_for_good_is_found_by_its_key(server, client, say):
    server.on("POST", "/v1/jobs", say.drop)
    with pytest.raises(ConnectionFailed) as caught:
        client.submit(["https://example.org/a.png"], model="digits")
    key = caught.value.idempotency_key
    assert key == server.seen[0].headers["idempotency-key"]
    job = say.job().body
    server.on("GET", "/v1/jobs", say.page([job], "job_1"))
    assert [job.id for job in client.jobs(idempotency_key=key)] == ["job_1"]
    assert server.seen[-1].query["idempotency_key"] == key


def test_a_refusal_leaves_no_doubt_about_a_submission(server, client, say):
    server.on("POST", "/v1/jobs", say.problem(404, "not_found", "no such model"))
    with pytest.raises(NotFound) as caught:
        client.submit(["https://example.org/a.png"], model="digits")
    assert caught.value.idempotency_key is None


def test_an_answer_that_a_proxy_gives_up_is_held_for_less_time(server, client, say):
    def proxy(seen):
        hold_s = int(seen.headers["prefer"].removeprefix("wait="))
        return say.answer(504, b"<html>") if hold_s > 10 else say.answer(202, say.job().body)

    server.on("POST", "/v1/predictions", proxy)
    server.on("GET", "/v1/jobs/job_1", proxy)
    assert client.predict(b"png", model="digits", wait=30).raw["id"] == "job_1"
    held = [seen.headers["prefer"] for seen in server.seen]
    assert held == ["wait=30", "wait=7"]
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1
    # It is known from now on.
    assert client.job("job_1", wait=30).id == "job_1"
    assert server.seen[-1].headers["prefer"] == "wait=7"


def test_the_callers_own_key_is_used(server, client, say):
    server.on("POST", "/v1/jobs", say.job())
    client.submit(["https://example.org/a.png"], model="digits", idempotency_key="mine")
    assert server.seen[0].headers["idempotency-key"] == "mine"


def test_a_repetition_that_overtakes_the_first_request_comes_again(server, client, say):
    running = say.problem(409, "idempotency_in_progress", "still running")
    server.on("POST", "/v1/jobs", running, say.job())
    assert client.submit(["https://example.org/a.png"], model="digits").id == "job_1"


def test_another_conflict_is_final(server, client, say):
    server.on("POST", "/v1/jobs/job_1/cancel", say.problem(409, "conflict", "over already"))
    with pytest.raises(Conflict, match="over already"):
        client.cancel("job_1")
    assert len(server.seen) == 1


def test_the_pause_that_the_server_asks_for_is_kept(server, client, say, pauses):
    busy = say.answer(429, headers={"Retry-After": "17"})
    server.on("GET", "/v1/jobs/job_1", busy, say.job())
    client.job("job_1")
    assert pauses == [17.0]


def test_a_pause_too_long_to_sit_out_is_the_callers_decision(server, client, say, pauses):
    server.on("GET", "/v1/jobs/job_1", say.answer(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        client.job("job_1")
    assert caught.value.retry_after == 3600
    assert pauses == []


def test_in_the_end_the_client_gives_up_with_growing_pauses(server, client, say, pauses):
    server.on("GET", "/v1/jobs/job_1", say.answer(503))
    with pytest.raises(ServerError):
        client.job("job_1")
    assert len(server.seen) == RetryPolicy().attempts == len(pauses) + 1
    # Jitter takes at most half a step, so each pause is at least as long as the one before.
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 4 * pauses[0] / 2


def test_an_error_of_the_server_itself_is_not_repeated(server, client, say):
    server.on("GET", "/v1/jobs/job_1", say.answer(500))
    with pytest.raises(ServerError):
        client.job("job_1")
    assert len(server.seen) == 1


def test_a_stream_that_cannot_be_read_again_is_sent_once(server, client, say):
    class Pipe:
        name = "batch.zip"

        def seekable(self):
            return False

        def read(self, _):
            block, self.left = getattr(self, "left", b"bytes"), b""
            return block

    server.on("POST", "/v1/files", say.answer(503))
    with pytest.raises(ServerError):
        client.upload(Pipe())
    assert [seen.body for seen in server.seen] == [b"bytes"]


def test_nobody_there_is_said_with_the_address_and_where_it_came_from(pauses):
    # Port 9 (discard) of the loopback: nothing listens there.
    with (
        Client("http://127.0.0.1:9", "key", sleep=pauses.append) as client,
        pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9 \(from the url that was given\)"),
    ):
        client.job("job_1")
    assert len(pauses) == RetryPolicy().attempts - 1


def test_a_redirect_is_not_followed_with_the_key(server, client, say):
    server.on("GET", "/v1/jobs/job_1", say.answer(302, headers={"Location": "http://evil.test/"}))
    with pytest.raises(Exception, match="redirects to"):
        client.job("job_1")


def test_retry_after_is_seconds_or_a_date():
    assert parse_retry_after("12") == 12
    at_noon = "Wed, 21 Oct 2015 12:00:00 GMT"
    assert parse_retry_after(at_noon, now=lambda: 1445428790.0) == 10
    assert parse_retry_after("-5") == parse_retry_after("nan") == 0
    assert parse_retry_after("soon") is parse_retry_after(None) is None


def test_a_proxy_of_the_environment_is_not_asked_for_the_local_stack(server, say, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.on("GET", "/v1/jobs/job_1", say.job())
    with Client(server.url, "key") as client:
        assert client.job("job_1").id == "job_1"


def test_a_proxy_of_the_environment_is_asked_for_a_server_elsewhere(monkeypatch, server, say):
    # The proxy is our own server: it is asked for the whole address.
    server.on("GET", "/v1/jobs/job_1", say.job())
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, server.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Client("http://pixelmill.invalid", "key") as client:
        assert client.job("job_1").id == "job_1"
