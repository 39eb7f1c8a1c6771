"""Aliases that move while jobs run, canaries that get a part of the jobs, and the log of it all."""

from typing import Any

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.tables import Job, ModelAlias
from jobs.versions.canaries import is_chosen, judge_canaries
from tests.integration.api.callers import Caller, check_problem, try_out
from tests.model_files.weights_files import noisy_digits

CATS = "/v1/models/my/cats"
PRODUCTION = f"{CATS}/aliases/production"


@pytest.fixture
def cats(caller: Caller, ground: Ground) -> Caller:
    """A caller with three versions of a model of its own, the first in production."""
    for seed in (1, 2, 3):
        caller.push("my/cats", noisy_digits(seed))
    try_out(ground)
    assert caller.put(PRODUCTION, json={"version": 1}).status_code == 200
    return caller


def with_canary(version: int = 2, percent: float = 20, **limits: Any) -> dict[str, Any]:
    return {"version": 1, "canary": {"version": version, "percent": percent, **limits}}


def canary_id(ground: Ground, cats: Caller) -> str:
    with ground.database.read() as session:
        row = session.get_one(ModelAlias, (f"{cats.tenant_id}/cats", "production"))
        assert row.canary_id is not None
        return row.canary_id


def ran(ground: Ground, job: dict[str, Any], **figures: Any) -> None:
    """Say what a job's items came to, as commits do."""
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job["id"]).values(**figures))


def test_a_moved_alias_is_what_new_jobs_get_and_old_ones_keep_theirs(cats: Caller) -> None:
    before = cats.submit(model="my/cats")
    view = cats.put(PRODUCTION, json={"version": 2}).json
    assert (view["id"], view["model"], view["version"]) == ("my/cats@production", "my/cats", 2)
    assert cats.submit(model="my/cats")["model"]["version"] == 2
    assert cats.submit(model="my/cats@production")["model"]["version"] == 2
    assert cats.get(f"/v1/jobs/{before['id']}").json["model"] == before["model"]
    assert cats.get(CATS).json["aliases"] == {"production": 2}
    assert cats.get(f"{CATS}/aliases").json["data"] == [view]


def test_an_alias_names_only_what_is_there_and_ready(cats: Caller) -> None:
    cats.push("my/cats", noisy_digits(4))
    for version, why in ((9, "no version 9"), (4, "validating")):
        problem = check_problem(cats.put(PRODUCTION, json={"version": version}), 422)
        assert (problem["error"]["param"], why in problem["detail"]) == ("version", True)
        problem = check_problem(cats.put(PRODUCTION, json=with_canary(version)), 422)
        assert problem["error"]["param"] == "canary.version"
    check_problem(cats.put(PRODUCTION, json=with_canary(1)), 422)
    check_problem(cats.put(f"{CATS}/aliases/3", json={"version": 1}), 422)
    check_problem(cats.put("/v1/models/my/dogs/aliases/a", json={"version": 1}), 404)
    for bad in ({"percent": 0}, {"percent": 100}, {"min_items": 0}, {"max_error_rate": 2}):
        body = with_canary()
        body["canary"] |= bad
        check_problem(cats.put(PRODUCTION, json=body), 422)
    assert cats.get(PRODUCTION).json["version"] == 1


def test_an_alias_goes_away_when_it_is_removed(cats: Caller) -> None:
    assert cats.delete(PRODUCTION).json["deleted"] is True
    check_problem(cats.delete(PRODUCTION), 404)
    check_problem(cats.get(PRODUCTION), 404)
    assert cats.submit(model="my/cats")["model"]["version"] == 3, "the newest"


def test_a_version_that_an_alias_names_cannot_be_deleted(cats: Caller) -> None:
    cats.put(PRODUCTION, json=with_canary(2))
    for version, word in ((1, "'production'"), (2, "canary")):
        problem = check_problem(cats.delete(f"{CATS}/versions/{version}"), 409)
        assert word in problem["detail"]
    cats.put(PRODUCTION, json={"version": 3})
    assert cats.delete(f"{CATS}/versions/1").status_code == 200


def test_each_job_gets_the_version_that_its_id_is_drawn_for(cats: Caller, ground: Ground) -> None:
    cats.put(PRODUCTION, json=with_canary(2, percent=50))
    trial = canary_id(ground, cats)
    jobs = [cats.submit(model="my/cats") for _ in range(20)]
    for job in jobs:
        assert job["model"]["version"] == 1 + is_chosen(trial, job["id"], 50)
    assert {job["model"]["version"] for job in jobs} == {1, 2}
    assert cats.submit(model="my/cats@1")["model"]["version"] == 1
    assert cats.get(CATS).json["version"] == 1, "what the alias stands for"


def test_a_repetition_under_a_key_is_the_same_job_with_the_same_version(cats: Caller) -> None:
    cats.put(PRODUCTION, json=with_canary(2, percent=50))
    body = {"model": "my/cats", "requests": [{"input": {"data": "aGk="}}]}
    for key in map(str, range(6)):
        tries = [
            cats.post("/v1/jobs", json=body, headers={"Idempotency-Key": key}).json
            for _ in range(3)
        ]
        assert len({(job["id"], job["model"]["version"]) for job in tries}) == 1


def trial(cats: Caller, ground: Ground, **limits: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Begin a canary, and give a job of the stable version and one of the canary."""
    cats.put(PRODUCTION, json=with_canary(2, percent=50, min_items=10, **limits))
    jobs: dict[int, dict[str, Any]] = {}
    while len(jobs) < 2:
        job = cats.submit(model="my/cats")
        jobs[job["model"]["version"]] = job
    return jobs[1], jobs[2]


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ({"completed": 15, "failed": 5, "faults": 5, "device_s": 1.0}, "25.00%"),
        ({"completed": 20, "device_s": 9.0}, "9.00 times"),
    ],
)
def test_a_canary_that_passes_its_limits_is_rolled_back_by_itself(
    cats: Caller, operator: Caller, ground: Ground, figures: dict[str, Any], word: str
) -> None:
    stable, canary = trial(cats, ground)
    ran(ground, stable, completed=20, device_s=1.0)
    ran(ground, canary, **figures)
    assert judge_canaries(ground.database) == 1
    view = cats.get(PRODUCTION).json
    assert (view["version"], view["canary"]) == (1, None)
    last = view["last_canary"]
    assert (last["version"], last["outcome"]) == (2, "rolled_back")
    assert word in last["reason"]
    assert last["canary_figures"]["items"] == 20
    assert cats.submit(model="my/cats")["model"]["version"] == 1
    assert judge_canaries(ground.database) == 0
    entry = operator.get("/v1/audit").json["data"][0]
    assert (entry["who"], entry["action"]) == ("sweeper", "canary.ended")
    assert entry["details"]["outcome"] == "rolled_back"


def test_a_canary_that_does_well_goes_on_and_shows_its_figures(
    cats: Caller, ground: Ground
) -> None:
    stable, canary = trial(cats, ground)
    ran(ground, stable, completed=20, device_s=1.0)
    # Broken pictures are no fault of the version that they came to.
    ran(ground, canary, completed=10, failed=10, device_s=1.5)
    assert judge_canaries(ground.database) == 0
    view = cats.get(PRODUCTION).json["canary"]
    assert (view["version"], view["percent"], view["min_items"]) == (2, 50, 10)
    assert view["canary_figures"] == {"items": 20, "faults": 0, "error_rate": 0.0, "item_ms": 75.0}
    assert view["stable_figures"]["item_ms"] == 50.0


def test_nobody_can_end_a_canary_by_naming_its_version(cats: Caller, ground: Ground) -> None:
    trial(cats, ground)
    job = cats.submit(model="my/cats@2")
    ran(ground, job, failed=1000, faults=1000)
    assert judge_canaries(ground.database) == 0


def test_a_repeated_put_changes_nothing_and_another_begins_anew(
    cats: Caller, operator: Caller, ground: Ground
) -> None:
    first = cats.put(PRODUCTION, json=with_canary()).json
    begun, entries = canary_id(ground, cats), operator.get("/v1/audit").json["data"]
    assert cats.put(PRODUCTION, json=with_canary()).json == first
    assert canary_id(ground, cats) == begun
    assert operator.get("/v1/audit").json["data"] == entries
    cats.put(PRODUCTION, json=with_canary(percent=30))
    assert canary_id(ground, cats) != begun
    assert cats.get(PRODUCTION).json["last_canary"]["outcome"] == "ended"


def test_putting_the_alias_to_its_canary_promotes_it(cats: Caller) -> None:
    cats.put(PRODUCTION, json=with_canary())
    view = cats.put(PRODUCTION, json={"version": 2}).json
    assert (view["version"], view["canary"]) == (2, None)
    assert view["last_canary"]["outcome"] == "promoted"


def test_every_change_is_in_the_log_with_who_made_it(operator: Caller, cats: Caller) -> None:
    cats.put(PRODUCTION, json=with_canary(3))
    cats.put(PRODUCTION, json={"version": 3})
    cats.delete(PRODUCTION)
    cats.delete(f"{CATS}/versions/1")
    key = cats.headers["Authorization"].split("_")[2]
    page = operator.get("/v1/audit", query_string={"limit": 6}).json
    name = f"{cats.tenant_id}/cats"
    assert [(each["action"], each["subject"]) for each in page["data"]] == [
        ("version.deleted", f"{name}@1"),
        ("alias.removed", f"{name}@production"),
        ("alias.moved", f"{name}@production"),
        ("canary.ended", f"{name}@production"),
        ("canary.begun", f"{name}@production"),
        ("alias.moved", f"{name}@production"),
    ]
    assert {(each["who"], each["tenant_id"]) for each in page["data"]} == {(key, cats.tenant_id)}
    assert page["has_more"] is True
    older = operator.get("/v1/audit", query_string={"after": page["last_id"], "limit": 100}).json
    actions = [each["action"] for each in older["data"]]
    assert actions[:3] == ["version.ready"] * 3
    assert actions.count("model.registered") == 4
    assert actions.count("key.created") == 2
    assert older["has_more"] is False
    assert older["data"][0]["at"] >= older["data"][-1]["at"] > 0
