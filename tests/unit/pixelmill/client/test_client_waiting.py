"""Waiting for a job, gently and through outages."""

import pytest

from pixelmill import ConnectionFailed, Job, NotFound, RetryPolicy, WaitTimeout
from pixelmill.client.waiting import Poller, wait_until_over
from pixelmill.wire.connection import find_connection
from pixelmill.wire.transport import Transport

JOB = "/v1/jobs/job_1"


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def transport(server, pauses):
    made = Transport(find_connection(server.url, "key"), 60.0, RetryPolicy(), pauses.append)
    yield made
    made.close()


def test_waiting_ends_with_the_job_and_tells_of_every_state(server, client, say):
    over = say.job(status="completed", completed=10, outcome="succeeded")
    server.on("GET", JOB, say.job(), say.job(completed=4), over)
    told = []
    job = client.wait("job_1", on_progress=lambda job: told.append(job.request_counts.completed))
    assert job.outcome == "succeeded"
    assert told == [0, 4, 10]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired"])
def test_every_end_is_an_end(server, client, say, status):
    server.on("GET", JOB, say.job(status=status))
    assert client.wait("job_1").status == status
    assert len(server.seen) == 1


def test_the_server_is_asked_to_hold_its_answer_and_to_repeat_nothing(server, client, say, pauses):
    first = say.job()
    first.headers["ETag"] = '"v1"'
    same = say.answer(304, headers={"Retry-After": "3"})
    server.on("GET", JOB, first, same, say.job(status="completed"))
    client.wait("job_1")
    asked = [seen.headers for seen in server.seen]
    assert [headers.get("if-none-match") for headers in asked] == [None, '"v1"', '"v1"']
    assert asked[1]["prefer"] == "wait=30"
    # The 304 came at once, so the server does not hold: its own pause is kept.
    assert pauses == [3.0]


def test_a_watched_job_is_asked_for_more_often(server, client, say):
    server.on("GET", JOB, say.job(), say.job(status="completed"))
    client.wait("job_1", on_progress=lambda job: None)
    assert server.to("GET", JOB)[1].headers["prefer"] == "wait=2"


def test_no_answer_is_held_for_longer_than_the_time_that_is_left(server, client, say):
    server.on("GET", JOB, say.job(), say.job(status="completed"))
    client.wait("job_1", timeout=5)
    assert server.seen[1].headers["prefer"] in ("wait=4", "wait=5")


def test_the_time_to_wait_ends_with_the_last_known_state(server, client, say):
    server.on("GET", JOB, say.job(completed=3))
    with pytest.raises(WaitTimeout, match="3 of 10 items done") as caught:
        client.wait("job_1", timeout=0)
    assert caught.value.job.status == "in_progress"


def test_a_timeout_is_kept_where_the_server_never_holds(server, transport, say):
    server.on("GET", JOB, say.job())
    clock = Clock()
    poller = Poller(transport, JOB, Job.from_raw, clock, clock.sleep)
    with pytest.raises(WaitTimeout):
        wait_until_over(poller, 60.0, None, clock)
    assert clock.now == 1060.0
    assert len(server.seen) < 130  # Not a busy loop.


def test_a_restart_of_the_server_does_not_end_a_wait(server, client, say):
    away = [say.answer(503)] * 12
    server.on("GET", JOB, say.job(), *away, say.job(status="completed"))
    assert client.wait("job_1").status == "completed"


def test_a_server_that_stays_away_does(server, transport, say):
    server.on("GET", JOB, say.job(), say.drop)
    clock = Clock()
    poller = Poller(transport, JOB, Job.from_raw, clock, clock.sleep)
    with pytest.raises(ConnectionFailed):
        wait_until_over(poller, None, None, clock)
    assert clock.now > 1100


def test_a_job_that_was_erased_meanwhile_ends_the_wait(server, client, say):
    server.on("GET", JOB, say.job(), say.problem(404, "not_found", "no such job"))
    with pytest.raises(NotFound):
        client.wait("job_1")
