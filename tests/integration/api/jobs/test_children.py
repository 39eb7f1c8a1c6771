"""Reruns and retries through HTTP: what is answered, what is refused, who may see it."""

from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion
from tests.integration.api.callers import Caller, check_problem
from tests.integration.jobs.builders import answer_all, second_version
from workers.errands.comparing import compare_next

BROKEN = ItemError("image_decode_failed", "It is broken.")


@pytest.fixture
def other(ground: Ground, digits_model: ModelVersion) -> str:
    version = second_version(ground, digits_model, description="other")
    return f"{version.name}@{version.version}"


def one(name: str) -> list[dict[str, Any]]:
    return [{"class": name, "class_id": int(name), "confidence": 0.9}]


def over(ground: Ground, caller: Caller, count: int = 3, **members: Any) -> dict[str, Any]:
    """A job that is over: each item is of the class that its index is."""
    job = caller.submit(count, **members)
    answer_all(ground, lambda index: one(str(index % 10)))
    return caller.get(f"/v1/jobs/{job['id']}").json


def rerun(caller: Caller, job: dict[str, Any], model: str, **more: Any) -> Any:
    return caller.post(f"/v1/jobs/{job['id']}/rerun", json={"model": model}, **more)


def test_a_rerun_is_a_job_of_its_own(ground: Ground, caller: Caller, other: str) -> None:
    parent = over(ground, caller, params={"top_k": 2})
    answer = rerun(caller, parent, other)
    assert answer.status_code == 202
    child = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{child['id']}"
    assert (child["kind"], child["parent_id"]) == ("rerun", parent["id"])
    assert (child["model"]["version"], child["status"]) == (2, "validating")
    assert child["params"] == parent["params"], "the parent's, unless others are given"
    assert (parent["kind"], parent["parent_id"]) == ("submitted", None)
    prepare_next(ground)
    assert caller.get(f"/v1/jobs/{child['id']}").json["request_counts"]["total"] == 3


def test_a_rerun_may_have_parameters_of_its_own(ground: Ground, caller: Caller, other: str) -> None:
    parent = over(ground, caller)
    path = f"/v1/jobs/{parent['id']}/rerun"
    answer = caller.post(path, json={"model": other, "params": {"top_k": 5}, "priority": "low"})
    assert (answer.json["params"]["top_k"], answer.json["priority"]) == (5, "low")
    wrong = caller.post(path, json={"model": other, "params": {"top_k": 0}})
    assert check_problem(wrong, 422)["error"]["param"] == "params.top_k"


@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_a_rerun_reads_pictures_as_its_parent_did(
    ground: Ground, caller: Caller, other: str, mode: str
) -> None:
    parent = over(ground, caller, params={"decode": mode})
    path = f"/v1/jobs/{parent['id']}/rerun"
    answer = caller.post(path, json={"model": other, "params": {"top_k": 5}})
    assert (answer.json["params"]["decode"], answer.json["params"]["top_k"]) == (mode, 5)
    asked = {"model": other, "params": {"decode": "exact"}}
    assert caller.post(path, json=asked).json["params"]["decode"] == "exact"


def test_a_rerun_of_a_job_from_before_the_choice_reads_all_pixels(
    ground: Ground, caller: Caller, other: str
) -> None:
    parent = over(ground, caller)
    with ground.database.write() as session:
        job = session.get_one(Job, parent["id"])
        job.params = {name: value for name, value in job.params.items() if name != "decode"}
    assert rerun(caller, parent, other).json["params"]["decode"] == "exact"


def test_a_repeated_rerun_under_one_key_is_one_job(
    ground: Ground, caller: Caller, other: str
) -> None:
    parent = over(ground, caller)
    key = {"Idempotency-Key": "once"}
    first, second = (rerun(caller, parent, other, headers=key) for _ in range(2))
    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    changed = rerun(caller, parent, "digits@1", headers=key)
    check_problem(changed, 422, "idempotency_key_reused")


def test_what_cannot_be_rerun_is_refused_with_a_word(
    ground: Ground, caller: Caller, stranger: Caller, other: str
) -> None:
    parent = over(ground, caller)
    check_problem(rerun(stranger, parent, other), 404)
    check_problem(rerun(caller, parent, "nothing"), 404, "model_not_found")
    check_problem(caller.post(f"/v1/jobs/{parent['id']}/rerun", json={}), 422)
    caller.delete(f"/v1/jobs/{parent['id']}")
    check_problem(rerun(caller, parent, other), 404)
    erased = over(ground, caller, delete_inputs=True)
    assert "delete_inputs" in check_problem(rerun(caller, erased, other), 409)["detail"]


def test_a_retry_is_answered_like_a_submission(ground: Ground, caller: Caller) -> None:
    job = caller.submit(3, metadata={"run": "7"})
    path = f"/v1/jobs/{job['id']}/retry"
    check_problem(caller.post(path), 409)
    answer_all(ground, lambda index: BROKEN if index else one("1"))
    key = {"Idempotency-Key": "once"}
    first, second = (caller.post(path, headers=key) for _ in range(2))
    assert first.status_code == 202
    assert first.json["id"] == second.json["id"]
    assert (first.json["kind"], first.json["metadata"]) == ("retry", {"run": "7"})
    hurried = caller.post(path, headers={"Cancel-After": "90s"}).json
    assert hurried["expires_at"] - hurried["created_at"] == 90
    while prepare_next(ground):
        pass
    assert caller.get(f"/v1/jobs/{first.json['id']}").json["request_counts"]["total"] == 2
    check_problem(caller.get(f"/v1/jobs/{first.json['id']}/comparison"), 404)


def test_a_comparison_waits_for_both_jobs_and_then_tells_what_changed(
    ground: Ground, caller: Caller, stranger: Caller, other: str
) -> None:
    parent = over(ground, caller, 30)
    child = rerun(caller, parent, other).json
    path = f"/v1/jobs/{child['id']}/comparison"
    waiting = caller.get(path)
    assert (waiting.json["status"], waiting.json["report"]) == ("waiting", None)
    assert waiting.headers["Retry-After"]
    check_problem(caller.get(f"{path}/changes"), 404)
    prepare_next(ground)
    answer_all(ground, lambda index: one("0") if index < 10 else one(str(index % 10)))
    assert compare_next(ground)
    ready = caller.get(path).json
    assert (ready["status"], ready["parent_id"]) == ("ready", parent["id"])
    assert ready["report"]["agreement"] == pytest.approx(21 / 30)
    assert ready["report"]["items"]["changed"] == 9
    assert ready["changes_url"] == f"{path}/changes"
    found, after = [], "0"
    while True:
        page = caller.get(f"{path}/changes", query_string={"after": after, "limit": 4}).json
        found += [change["index"] for change in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert found == list(range(1, 10))
    for theirs in (path, f"{path}/changes"):
        check_problem(stranger.get(theirs), 404)
    check_problem(caller.get(f"/v1/jobs/{parent['id']}/comparison"), 404)
    assert caller.get(f"/v1/batches/{child['id']}/comparison").json == ready
