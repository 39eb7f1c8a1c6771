"""Trainings over HTTP: what is taken, what is refused, what is shown, and to whom."""

from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.intake.trainings import Turn, end_turn, note_outcome
from jobs.versions.registry import register
from models.catalog import shipped_weights
from tests.integration.api.callers import Caller, check_problem, stored
from tests.integration.api.models.test_versions import MOTION
from tests.integration.jobs.builders import claim_one, run_one
from tests.integration.workers.trainings.datasets import digit_files, zip_of
from workers.errands.datasets import check_dataset

PROGRESS = {
    "epoch": 1,
    "epochs": 20,
    "step": 3,
    "steps": 9,
    "best_epoch": 1,
    "history": [
        {
            "epoch": 1,
            "training_loss": 0.5,
            "training_accuracy": 0.8,
            "validation_loss": 0.4,
            "validation_accuracy": 0.9,
            "learning_rate": 0.001,
        }
    ],
    "labels": ["0", "1"],
    "confusion": [[3, 1], [0, 4]],
    "images": {"training": 12, "validation": 8, "skipped": 0},
    "skipped": [],
}


def upload(caller: Caller) -> str:
    return caller.upload(zip_of(digit_files((0, 1), each=4)), "set.zip")


def train(caller: Caller, **members: Any) -> dict[str, Any]:
    answer = caller.post("/v1/trainings", json=body_of(caller, **members))
    assert answer.status_code == 202, answer.text
    return answer.json


def body_of(caller: Caller, **members: Any) -> dict[str, Any]:
    return {"name": "my/cats", "input_file_id": upload(caller), **members}


def test_a_training_is_accepted_and_shown(caller: Caller) -> None:
    body = body_of(caller, params={"epochs": 3, "kernel_size": 5}, metadata={"run": "7"})
    answer = caller.post("/v1/trainings", json=body)
    shown = answer.json
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert answer.headers["Location"] == f"/v1/trainings/{shown['id']}"
    assert shown["object"] == "training"
    assert (shown["status"], shown["priority"], shown["name"]) == ("validating", "low", "my/cats")
    assert (shown["architecture"], shown["model"], shown["progress"]) == ("digits", None, None)
    assert shown["params"]["epochs"] == 3
    assert shown["params"]["kernel_size"] == 5
    assert shown["params"]["optimizer"] == "adam"
    assert shown["metadata"] == {"run": "7"}
    assert caller.get(f"/v1/trainings/{shown['id']}").json == shown


def test_it_shows_how_far_it_is_and_what_came_of_it(caller: Caller, ground: Ground) -> None:
    training_id = train(caller)["id"]
    path = f"/v1/trainings/{training_id}"
    prepare_next(ground, check_dataset)
    shown = caller.get(path).json
    assert (shown["status"], shown["request_counts"]["total"]) == ("in_progress", 1)
    assert shown["queue"]["position"] == 0
    lease = claim_one(ground)
    assert end_turn(ground.database, lease, Turn("blob", PROGRESS), 1.0, 1.0)
    assert caller.get(path).json["progress"] == PROGRESS
    record = {"task": "classification"}
    version = register(
        ground.database, ground.storage, lease.model_name, record, b"w", "sha256:" + "1" * 64
    )
    lease = claim_one(ground)
    note_outcome(ground.database, lease, version=version.version)
    assert run_one(ground, lease)
    shown = caller.get(path).json
    assert (shown["status"], shown["outcome"]) == ("completed", "succeeded")
    assert shown["model"] == {"name": "my/cats", "version": 1, "digest": version.digest}
    assert "Retry-After" not in caller.get(path).headers


def test_a_bad_data_set_fails_with_its_reason(caller: Caller, ground: Ground) -> None:
    file = caller.upload(zip_of({"1.png": b"1", "2.png": b"2"}), "set.zip")
    training_id = train(caller, input_file_id=file)["id"]
    prepare_next(ground, check_dataset)
    shown = caller.get(f"/v1/trainings/{training_id}").json
    assert shown["status"] == "failed"
    assert shown["errors"]["data"][0]["code"] == "bad_dataset"
    assert "at least two classes" in shown["status_reason"]
    assert shown["skipped"]["by_reason"] == {"no_class": 2}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"architecture": "resnet18"}, "architecture"),
        ({"params": {"epochs": 0}}, "params.epochs"),
        ({"params": {"architecture": "digits"}}, "params.architecture"),
        ({"architecture": "torchvision/resnet18", "params": {"pooling": "max"}}, "params.pooling"),
        ({"name": "my/Cats"}, "name"),
        ({"name": "my/../cats"}, "name"),
        ({"completion_window": "1s"}, "completion_window"),
        ({"priority": "urgent"}, "priority"),
        ({"colour": "red"}, "colour"),
        ({"input_file_id": "file_x"}, "input_file_id"),
        ({"webhook": {"url": "http://127.0.0.1/"}}, "webhook.url"),
    ],
)
def test_a_bad_request_is_refused_by_its_member_and_stores_nothing(
    caller: Caller, ground: Ground, members: dict[str, Any], param: str
) -> None:
    body = body_of(caller, **members)
    before = stored(ground)
    problem = check_problem(caller.post("/v1/trainings", json=body), 422)
    assert problem["error"]["param"] == param
    assert stored(ground) == before


def test_a_model_that_all_share_is_not_for_tenants_to_train(caller: Caller) -> None:
    answer = caller.post("/v1/trainings", json=body_of(caller, name="digits"))
    assert "`my/digits`" in check_problem(answer, 403)["detail"]


def test_all_versions_of_a_model_do_one_task_trained_ones_too(caller: Caller) -> None:
    caller.push("my/moves", shipped_weights("motion").read_bytes(), MOTION)
    problem = check_problem(
        caller.post("/v1/trainings", json=body_of(caller, name="my/moves")), 422
    )
    assert problem["error"]["param"] == "architecture"
    assert "'my/moves' does video-classification" in problem["detail"]
    train(caller, name="my/moves", architecture="recurrent/digits-gru")


def test_a_file_of_somebody_else_cannot_be_learned_from(caller: Caller, stranger: Caller) -> None:
    body = body_of(stranger)
    check_problem(caller.post("/v1/trainings", json=body), 404, "not_found")


def test_a_repetition_under_its_key_gets_the_same_training(caller: Caller) -> None:
    body, headers = body_of(caller), {"Idempotency-Key": "once"}
    first = caller.post("/v1/trainings", json=body, headers=headers)
    second = caller.post("/v1/trainings", json=body, headers=headers)
    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    changed = caller.post("/v1/trainings", json={**body, "priority": "high"}, headers=headers)
    check_problem(changed, 422, "idempotency_key_reused")


def test_trainings_are_listed_for_their_owner_and_apart_from_jobs(
    caller: Caller, stranger: Caller
) -> None:
    ids = [train(caller)["id"] for _ in range(3)]
    job = caller.submit()
    page = caller.get("/v1/trainings?limit=2").json
    assert [each["id"] for each in page["data"]] == [ids[2], ids[1]]
    assert page["has_more"]
    rest = caller.get(f"/v1/trainings?after={page['last_id']}").json
    assert [each["id"] for each in rest["data"]] == [ids[0]]
    assert [each["id"] for each in caller.get("/v1/jobs").json["data"]] == [job["id"]]
    assert stranger.get("/v1/trainings").json["data"] == []
    for path in (f"/v1/trainings/{ids[0]}", f"/v1/trainings/{job['id']}"):
        check_problem(stranger.get(path), 404)
    check_problem(caller.get(f"/v1/trainings/{job['id']}"), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/{id}"),
        ("GET", "/v1/batches/{id}"),
        ("GET", "/v1/jobs/{id}/results"),
        ("POST", "/v1/jobs/{id}/cancel"),
        ("DELETE", "/v1/jobs/{id}"),
    ],
)
def test_the_calls_about_jobs_know_no_trainings(caller: Caller, method: str, path: str) -> None:
    training_id = train(caller)["id"]
    answer = caller.open(method, path.format(id=training_id))
    assert f"/v1/trainings/{training_id}" in check_problem(answer, 404)["detail"]


def test_a_training_can_be_cancelled_once_or_twice(caller: Caller, stranger: Caller) -> None:
    path = f"/v1/trainings/{train(caller)['id']}"
    check_problem(stranger.post(f"{path}/cancel"), 404)
    assert caller.post(f"{path}/cancel").json["status"] == "cancelled"
    assert caller.post(f"{path}/cancel").json["status"] == "cancelled"


def test_a_deleted_training_is_gone(caller: Caller, stranger: Caller) -> None:
    training_id = train(caller)["id"]
    path = f"/v1/trainings/{training_id}"
    check_problem(stranger.delete(path), 404)
    receipt = caller.delete(path).json
    assert (receipt["id"], receipt["deleted"]) == (training_id, True)
    assert receipt["erased_at"] is not None
    check_problem(caller.get(path), 404)
    assert caller.get("/v1/trainings").json["data"] == []
