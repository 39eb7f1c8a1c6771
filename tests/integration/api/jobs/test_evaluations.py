"""Evaluations through HTTP: what is answered, what is refused, who may see it."""

from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.tables import ModelVersion
from jobs.versions.registry import register
from tests.integration.api.callers import Caller, check_problem
from tests.integration.jobs.builders import answer_all, second_version
from tests.integration.jobs.labelled import archive, lines
from workers.errands.evaluating import evaluate_next
from workers.errands.labelling import label_items


def one(name: str) -> list[dict[str, Any]]:
    return [{"class": name, "class_id": int(name), "confidence": 0.9}]


def submit(caller: Caller, names: list[str], model: str = "digits", **more: Any) -> Any:
    file_id = caller.upload(archive(names), "set.zip")
    return caller.post("/v1/evaluations", json={"model": model, "input_file_id": file_id, **more})


def over(ground: Ground, caller: Caller, names: list[str], model: str = "digits") -> str:
    """An evaluation that ran and was counted; every answer is a seven."""
    job = submit(caller, names, model)
    assert job.status_code == 202, job.text
    assert prepare_next(ground, label_items=label_items) == job.json["id"]
    answer_all(ground, lambda _: one("7"))
    assert evaluate_next(ground)
    return str(job.json["id"])


def test_an_evaluation_is_a_job_whose_figures_are_shown_beside_its_results(
    ground: Ground, caller: Caller
) -> None:
    answer = submit(caller, ["7/a.png", "3/b.png"])
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["model"]["version"]) == ("evaluation", "validating", 1)
    path = f"/v1/jobs/{job['id']}/evaluation"
    waiting = caller.get(path)
    assert (waiting.json["status"], waiting.json["figures"]) == ("waiting", None)
    assert waiting.headers["Retry-After"]
    prepare_next(ground, label_items=label_items)
    answer_all(ground, lambda _: one("7"))
    evaluate_next(ground)
    ready = caller.get(path)
    assert "Retry-After" not in ready.headers
    shown = ready.json
    assert (shown["object"], shown["model"], shown["status"]) == (
        "evaluation", "digits@1", "ready",
    )  # fmt: skip
    assert (shown["items"], shown["evaluated"], shown["failed"]) == (2, 2, 0)
    assert shown["figures"] == {"accuracy": 0.5}
    assert shown["per_class"] == [
        {"class": "3", "support": 1, "precision": None, "recall": 0.0},
        {"class": "7", "support": 1, "precision": 0.5, "recall": 1.0},
    ]
    assert shown["confusion"]["counts"] == [[0, 1], [0, 1]]
    assert shown["unanswered"] == []
    assert caller.get(f"/v1/batches/{job['id']}/evaluation").json == shown


def test_a_versions_card_has_the_newest_evaluations_of_its_own_tenant(
    ground: Ground, caller: Caller, stranger: Caller
) -> None:
    mine = [over(ground, caller, ["7/a.png", "3/b.png"][: 1 + each % 2]) for each in range(6)]
    theirs = over(ground, stranger, ["3/a.png"])
    second_version(ground, register_of(ground), description="other")
    card = caller.get("/v1/models/digits/versions/1").json
    assert [each["job_id"] for each in card["evaluations"]] == mine[:0:-1]
    newest = card["evaluations"][0]
    assert (newest["items"], newest["evaluated"], newest["failed"]) == (2, 2, 0)
    assert (newest["figure"], newest["value"]) == ("accuracy", 0.5)
    assert newest["created_at"] > 0
    assert caller.get("/v1/models/digits@1").json["evaluations"] == card["evaluations"]
    (only,) = stranger.get("/v1/models/digits/versions/1").json["evaluations"]
    assert (only["job_id"], only["value"]) == (theirs, 0.0)
    assert caller.get("/v1/models/digits/versions/2").json["evaluations"] == []
    assert "evaluations" not in caller.get("/v1/models").json["data"][0]


def register_of(ground: Ground) -> ModelVersion:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, ("digits", 1))


def test_an_own_model_is_called_by_its_owners_name_and_another_tenant_sees_nothing(
    ground: Ground, caller: Caller, stranger: Caller, digits_model: ModelVersion
) -> None:
    record, name = digits_model.record, f"{caller.tenant_id}/cats"
    register(ground.database, ground.storage, name, record, b"weights", "sha256:1")
    job_id = over(ground, caller, ["7/a.png"], "my/cats")
    assert caller.get(f"/v1/jobs/{job_id}/evaluation").json["model"] == "my/cats@1"
    assert len(caller.get("/v1/models/my/cats/versions/1").json["evaluations"]) == 1
    check_problem(stranger.get(f"/v1/jobs/{job_id}/evaluation"), 404)


def test_a_deleted_evaluation_is_on_no_card_any_more(ground: Ground, caller: Caller) -> None:
    job_id = over(ground, caller, ["7/a.png"])
    assert caller.delete(f"/v1/jobs/{job_id}").status_code == 200
    assert caller.get("/v1/models/digits/versions/1").json["evaluations"] == []
    check_problem(caller.get(f"/v1/jobs/{job_id}/evaluation"), 404)


def test_a_job_that_evaluates_nothing_has_no_evaluation(caller: Caller) -> None:
    job = caller.submit()
    problem = check_problem(caller.get(f"/v1/jobs/{job['id']}/evaluation"), 404)
    assert "POST /v1/evaluations" in problem["detail"]


def test_a_repeated_request_is_one_evaluation(caller: Caller) -> None:
    file_id = caller.upload(archive(["7/a.png"]), "set.zip")
    body = {"model": "digits", "input_file_id": file_id}
    first, again = (
        caller.post("/v1/evaluations", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert again.json["id"] == first.json["id"]
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("task", ["embedding", "video-classification"])
def test_a_model_of_a_task_that_is_not_evaluated_is_refused_by_its_task(
    ground: Ground, caller: Caller, digits_model: ModelVersion, task: str
) -> None:
    second_version(ground, digits_model, task=task)
    problem = check_problem(submit(caller, ["7/a.png"], "digits@2"), 422)
    assert problem["error"]["param"] == "model"
    assert f"digits@2 cannot be evaluated: it does {task}" in problem["detail"]


def test_boxes_are_asked_for_by_name_and_every_one_is_counted(
    ground: Ground, caller: Caller, digits_model: ModelVersion
) -> None:
    second_version(ground, digits_model, task="detection")
    problem = check_problem(submit(caller, ["a.png"], "digits@2"), 422)
    assert problem["error"]["param"] == "truth_file_id"
    truth = caller.upload(lines({"custom_id": "a.png", "boxes": []}), "truth.jsonl")
    job = submit(caller, ["a.png"], "digits@2", truth_file_id=truth).json
    assert job["params"]["min_confidence"] == 0.0
    missing = submit(caller, ["a.png"], "digits@2", truth_file_id="file_" + "0" * 26)
    assert check_problem(missing, 404)["error"]["param"] == "truth_file_id"


def test_a_parameter_that_hides_answers_is_refused(caller: Caller) -> None:
    answer = submit(caller, ["7/a.png"], params={"min_confidence": 0.9})
    assert check_problem(answer, 422)["error"]["param"] == "params.min_confidence"
    unknown = submit(caller, ["7/a.png"], params={"top": 1})
    assert check_problem(unknown, 422)["error"]["param"] == "params.top"


def test_an_alias_stands_for_its_own_version_and_not_for_its_canary(
    ground: Ground, caller: Caller, operator: Caller, digits_model: ModelVersion
) -> None:
    second_version(ground, digits_model, description="other")
    canary = {"version": 2, "percent": 99}
    put = operator.put(
        "/v1/models/digits/aliases/production", json={"version": 1, "canary": canary}
    )
    assert put.status_code == 200, put.text
    jobs = [caller.submit(model="digits@production") for _ in range(3)]
    assert 2 in {job["model"]["version"] for job in jobs}, "a job is given it"
    made = [submit(caller, ["7/a.png"], "digits@production").json for _ in range(3)]
    assert {job["model"]["version"] for job in made} == {1}


def test_a_class_that_the_model_does_not_know_fails_the_job_with_a_line_about_it(
    ground: Ground, caller: Caller
) -> None:
    job = submit(caller, ["7/a.png", "sevn/b.png"]).json
    prepare_next(ground, label_items=label_items)
    shown = caller.get(f"/v1/jobs/{job['id']}").json
    assert shown["status"] == "failed"
    (fault,) = shown["errors"]["data"]
    assert (fault["code"], fault["param"]) == ("unknown_class", "input_file_id")
    assert "'sevn' is no class" in fault["message"]
    evaluate_next(ground)
    view = caller.get(f"/v1/jobs/{job['id']}/evaluation").json
    assert view["status"] == "failed"
    assert "'sevn' is no class" in view["failure"]
