"""`Cancel-After`: a deadline in a header, where `completion_window` is one in the body."""

import pytest

from jobs.base.bootstrap import Ground
from tests.integration.api.callers import DATA, Caller, check_problem, job_body, stored
from tests.integration.jobs.checks import read_job


def time_of(ground: Ground, job_id: str) -> float:
    job = read_job(ground, job_id)
    return job.expires_at - job.created_at


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h30m45s", 5445), (" 2h ", 7200)],
)
def test_a_job_is_over_after_the_time_that_its_header_says(
    caller: Caller, ground: Ground, header: str, seconds: int
) -> None:
    answer = caller.post("/v1/jobs", json=job_body(), headers={"Cancel-After": header})
    assert answer.status_code == 202
    assert time_of(ground, answer.json["id"]) == pytest.approx(seconds)


@pytest.mark.parametrize(("header", "seconds"), [("1h", 3600), ("3h", 7200)])
def test_the_earlier_of_header_and_window_counts(
    caller: Caller, ground: Ground, header: str, seconds: int
) -> None:
    body = job_body(completion_window="2h")
    answer = caller.post("/v1/jobs", json=body, headers={"Cancel-After": header})
    assert time_of(ground, answer.json["id"]) == pytest.approx(seconds)


def test_a_prediction_has_a_deadline_too(caller: Caller, ground: Ground) -> None:
    body = {"model": "digits", "input": {"data": DATA}}
    headers = {"Cancel-After": "7s", "Prefer": "wait=0"}
    answer = caller.post("/v1/predictions", json=body, headers=headers)
    assert time_of(ground, answer.json["id"]) == pytest.approx(7)


@pytest.mark.parametrize("header", ["", "0", "-5", "soon", "1d", "5m1h", "s", "9999999h", "1.5m"])
def test_a_time_that_makes_no_sense_is_refused(caller: Caller, ground: Ground, header: str) -> None:
    answer = caller.post("/v1/jobs", json=job_body(), headers={"Cancel-After": header})
    assert check_problem(answer, 422)["error"]["param"] == "Cancel-After"
    assert stored(ground)["jobs"] == 0


def test_a_repeated_request_with_another_deadline_is_another_request(caller: Caller) -> None:
    headers = {"Idempotency-Key": "once", "Cancel-After": "1h"}
    assert caller.post("/v1/jobs", json=job_body(), headers=headers).status_code == 202
    assert caller.post("/v1/jobs", json=job_body(), headers=headers).status_code == 202
    changed = caller.post("/v1/jobs", json=job_body(), headers=headers | {"Cancel-After": "2h"})
    check_problem(changed, 422, "idempotency_key_reused")
