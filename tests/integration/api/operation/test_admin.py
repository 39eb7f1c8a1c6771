"""The operator's view: over all tenants, in words, and for operators alone."""

from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.presence.workers import announce, is_drained, leave
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.tables import Job
from tests.integration.api.callers import Caller, check_problem

PATHS = ("jobs", "tenants", "workers", "usage", "storage")


@pytest.fixture
def both(caller: Caller, stranger: Caller) -> tuple[str, str]:
    """Two tenants, each with a job that waits."""
    return submit(caller), submit(stranger)


def submit(caller: Caller) -> str:
    job = {"model": "digits", "requests": [{"input": {"data": "aGVsbG8="}}]}
    answer = caller.post("/v1/jobs", json=job)
    assert answer.status_code == 202, answer.text
    return answer.json["id"]


def rows(operator: Caller, what: str, **query: Any) -> list[dict[str, Any]]:
    answer = operator.get(f"/v1/admin/{what}", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


@pytest.mark.parametrize("path", PATHS)
def test_a_tenants_key_sees_nothing_of_it(caller: Caller, path: str) -> None:
    check_problem(caller.get(f"/v1/admin/{path}"), 403)


def test_a_tenants_key_drains_nobody(caller: Caller, ground: Ground) -> None:
    announce(ground.database, "a-1/cpu0", "cpu", "1")
    check_problem(caller.post("/v1/admin/workers/a-1/cpu0/drain"), 403)
    assert not is_drained(ground.database, "a-1/cpu0")


def test_jobs_of_all_tenants_with_why_each_waits(
    operator: Caller, both: tuple[str, str], ground: Ground
) -> None:
    found = rows(operator, "jobs")
    assert [row["id"] for row in found] == sorted(both)
    assert [row["tenant"] for row in found] == ["acme", "other"]
    assert all("No worker of pool cpu lives" in row["why"] for row in found)
    announce(ground.database, "a-1/cpu0", "cpu", "1")
    assert all("among the next in line" in row["why"] for row in rows(operator, "jobs"))
    lease = claim(ground.database, Line("cpu"), "a-1/cpu0", 30)
    assert lease is not None
    (running,) = (row for row in rows(operator, "jobs") if row["id"] == lease.job_id)
    assert running["why"] == "It runs: 1 shard on a-1/cpu0."
    assert running["held_shards"] == {"a-1/cpu0": 1}
    operator.post("/v1/admin/workers/a-1/drain")
    (waiting,) = (row for row in rows(operator, "jobs") if row["id"] != lease.job_id)
    assert "is drained" in waiting["why"]


def test_jobs_that_rest_after_an_error_say_for_how_long(
    operator: Caller, both: tuple[str, str], ground: Ground
) -> None:
    from jobs.queue.shard_leases import fail

    announce(ground.database, "a-1/cpu0", "cpu", "1")
    lease = claim(ground.database, Line("cpu"), "a-1/cpu0", 30)
    assert lease is not None
    fail(ground.database, lease)
    (row,) = (row for row in rows(operator, "jobs") if row["id"] == lease.job_id)
    assert "tried again in" in row["why"]


def test_jobs_come_page_by_page_and_by_tenant(operator: Caller, both: tuple[str, str]) -> None:
    first = operator.get("/v1/admin/jobs", query_string={"limit": 1}).json
    assert (len(first["data"]), first["has_more"]) == (1, True)
    second = rows(operator, "jobs", after=first["last_id"])
    assert [row["id"] for row in second] == sorted(both)[1:]
    assert [row["tenant"] for row in rows(operator, "jobs", tenant="other")] == ["other"]
    check_problem(operator.get("/v1/admin/jobs", query_string={"limit": 0}), 422)


def test_jobs_that_are_over_are_not_shown(
    operator: Caller, caller: Caller, both: tuple[str, str]
) -> None:
    assert caller.post(f"/v1/jobs/{both[0]}/cancel").status_code == 200
    assert [row["id"] for row in rows(operator, "jobs")] == [both[1]]


def test_tenants_with_what_they_have_waiting(operator: Caller, both: tuple[str, str]) -> None:
    found = {row["name"]: row for row in rows(operator, "tenants")}
    assert set(found) == {"acme", "other", "ops"}
    assert found["acme"]["open_jobs"] == found["acme"]["waiting_shards"] == 1
    assert found["ops"]["open_jobs"] == 0
    assert found["other"]["keys"] == 1


def test_workers_with_what_each_holds(
    operator: Caller, both: tuple[str, str], ground: Ground
) -> None:
    announce(ground.database, "a-1/cpu0", "cpu", "0.9")
    announce(ground.database, "a-1/cpu1", "cpu", "0.9")
    announce(ground.database, "b-2/io", "io", "0.9")
    leave(ground.database, "b-2/io")
    lease = claim(ground.database, Line("cpu"), "a-1/cpu0", 30)
    assert lease is not None
    found = {row["id"]: row for row in rows(operator, "workers")}
    assert {name: row["state"] for name, row in found.items()} == {
        "a-1/cpu0": "working", "a-1/cpu1": "working", "b-2/io": "silent",
    }  # fmt: skip
    (held,) = found["a-1/cpu0"]["shards"]
    assert (held["job_id"], held["model"]) == (lease.job_id, "digits@1")
    assert held["tenant"] in ("acme", "other")


def test_a_worker_is_drained_and_resumed_by_its_own_name_or_its_launchers(
    operator: Caller, both: tuple[str, str], ground: Ground
) -> None:
    for node, pool in (("a-1/cpu0", "cpu"), ("a-1/cpu1", "cpu"), ("a-12/cpu0", "cpu")):
        announce(ground.database, node, pool, "1")
    assert claim(ground.database, Line("cpu"), "a-1/cpu1", 30) is not None
    one = operator.post("/v1/admin/workers/a-1/cpu0/drain")
    assert one.json == {"object": "admin.drain", "workers": ["a-1/cpu0"], "drained": True}
    assert operator.post("/v1/admin/workers/a-1/drain").json["workers"] == ["a-1/cpu0", "a-1/cpu1"]
    states = {row["id"]: row["state"] for row in rows(operator, "workers")}
    assert states == {"a-1/cpu0": "drained", "a-1/cpu1": "draining", "a-12/cpu0": "working"}
    operator.post("/v1/admin/workers/a-1/resume")
    assert {row["state"] for row in rows(operator, "workers")} == {"working"}
    check_problem(operator.post("/v1/admin/workers/a-9/drain"), 404)
    announce(ground.database, "b-2/io", "io", "1")
    refused = check_problem(operator.post("/v1/admin/workers/b-2/io/drain"), 404)
    assert "inference worker" in refused["detail"]
    entries = operator.get("/v1/audit").json["data"]
    assert {"worker.drained", "worker.resumed"} <= {entry["action"] for entry in entries}


def test_a_drain_outlasts_a_restart(ground: Ground, operator: Caller) -> None:
    assert not announce(ground.database, "a-1/cpu0", "cpu", "1")
    operator.post("/v1/admin/workers/a-1/cpu0/drain")
    assert announce(ground.database, "a-1/cpu0", "cpu", "2")


def test_usage_counts_the_jobs_of_the_last_days(
    operator: Caller, both: tuple[str, str], ground: Ground
) -> None:
    with ground.database.write() as session:
        done = {Job.device_s: 12.5, Job.completed: 1}
        session.execute(update(Job).where(Job.id == both[1]).values(done))
    answer = operator.get("/v1/admin/usage").json
    assert [(row["tenant"], row["device_seconds"]) for row in answer["data"]] == [
        ("other", 12.5), ("acme", 0.0),
    ]  # fmt: skip
    assert answer["data"][0]["completed"] == answer["data"][0]["items"] == 1
    assert rows(operator, "usage", days=1e-9) == []
    check_problem(operator.get("/v1/admin/usage", query_string={"days": -1}), 422)


def test_storage_says_who_keeps_how_much(operator: Caller, caller: Caller, app: APIFlask) -> None:
    caller.upload(b"x" * 1000)
    caller.upload(b"y" * 500)
    answer = operator.get("/v1/admin/storage").json
    assert [(row["tenant"], row["files"], row["bytes"]) for row in answer["data"]] == [
        ("acme", 2, 1500)
    ]
    assert 0 < answer["free_bytes"] < answer["total_bytes"]
