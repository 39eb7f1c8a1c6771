"""What an evaluation says of a version is what anybody would count who reads results and labels."""

import dataclasses
from typing import Any

import pytest
from sqlalchemy import update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.evaluation import (
    EVALUATIONS,
    end_evaluation,
    evaluations_of,
    get_evaluation,
)
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.storage import Storage, StorageError
from jobs.leases.leases import LeaseLost, is_due, lease_next
from jobs.queue.completion import cancel
from jobs.results.segments import ItemError
from jobs.tables import Evaluation, Job, ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import answer_all, claim_one, run_one, second_version
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.labelled import archive, evaluate, lines
from tests.integration.jobs.test_retention import age
from tests.integration.jobs.test_tidying import make_due
from workers.errands.evaluating import evaluate_next

BROKEN = ItemError("image_decode_failed", "It is broken.")


def one(name: str) -> list[dict[str, Any]]:
    return [{"class": name, "class_id": int(name), "confidence": 0.9}]


def found(ground: Ground, job: Job) -> Evaluation:
    with ground.database.read() as session:
        return get_evaluation(session, job)


def report_of(ground: Ground, job: Job) -> dict[str, Any]:
    report = found(ground, job).report
    assert report is not None
    return report


def digits(count: int = 70) -> bytes:
    """Pictures of which each is of the class that its index ends in."""
    return archive([f"{index % 10}/{index:03d}.png" for index in range(count)])


@pytest.fixture
def job(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Job:
    """An evaluation that ran: of seventy items one is wrong and two are broken."""
    said: dict[int, Any] = {3: one("8"), 5: BROKEN, 68: BROKEN}
    made = evaluate(ground, tenant, digits_model, digits())
    answer_all(ground, lambda index: said.get(index, one(str(index % 10))))
    return read_job(ground, made.id)


def test_the_figures_are_of_the_items_that_were_answered_and_the_others_are_named(
    ground: Ground, job: Job
) -> None:
    assert is_due(ground.database, EVALUATIONS)
    assert evaluate_next(ground)
    assert not is_due(ground.database, EVALUATIONS)
    report = report_of(ground, job)
    assert (report["items"], report["evaluated"], report["failed"]) == (70, 68, 2)
    assert report["figures"] == {"accuracy": pytest.approx(67 / 68)}
    rows = {row["class"]: row for row in report["per_class"]}
    assert rows["3"] == {"class": "3", "support": 7, "precision": 1.0, "recall": 6 / 7}
    assert rows["8"] == {"class": "8", "support": 6, "precision": 6 / 7, "recall": 1.0}
    assert report["confusion"]["mistakes"] == [{"true": "3", "found": "8", "count": 1}]
    assert report["confusion"]["counts"][3][8] == 1
    evaluation = found(ground, job)
    assert evaluation.unanswered == [
        {"index": index, "custom_id": f"item-{index}", "code": BROKEN.code,
         "message": BROKEN.message} for index in (5, 68)
    ]  # fmt: skip
    assert evaluation.summary == {
        "items": 70, "evaluated": 68, "failed": 2, "figure": "accuracy",
        "value": pytest.approx(67 / 68),
    }  # fmt: skip


def test_nothing_is_evaluated_before_the_job_is_over(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    evaluate(ground, tenant, digits_model, digits())
    run_one(ground, claim_one(ground))
    assert lease_next(ground, EVALUATIONS) is None
    assert not evaluate_next(ground)


def test_boxes_are_held_against_boxes(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    detector = second_version(ground, digits_model, task="detection")
    box = {"x": 0, "y": 0, "width": 10, "height": 10}
    truth = [{"custom_id": f"{n}.png", "boxes": [{"class": "7", "box": box}]} for n in range(2)]
    names = ["0.png", "1.png"]
    job = evaluate(ground, tenant, detector, archive(names), lines(*truth))
    moved = {**box, "x": 1}
    answer_all(ground, lambda index: [{**one("7")[0], "box": moved if index else box}])
    evaluate_next(ground)
    report = report_of(ground, job)
    # The second overlaps by 9/11: right up to 0.80.
    assert report["figures"]["map_50"] == 1.0
    assert report["figures"]["map_50_95"] == pytest.approx((7 * 1 + 3 * 0.5) / 10)
    assert report["confusion"] is None
    assert "VOC" in report["measure"]


def test_a_job_that_did_not_run_to_its_end_has_no_figures(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = evaluate(ground, tenant, digits_model, digits())
    run_one(ground, claim_one(ground))
    cancel(ground.database, tenant.tenant_id, job.id)
    assert evaluate_next(ground)
    evaluation = found(ground, job)
    assert (evaluation.report, evaluation.summary) == (None, None)
    assert evaluation.failure == (
        "The job was cancelled before all of its items had run; evaluate again."
    )


def test_a_job_that_was_refused_says_so_in_its_evaluation(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = evaluate(ground, tenant, digits_model, archive(["seven/a.png"]))
    assert evaluate_next(ground)
    assert "'seven' is no class" in (found(ground, job).failure or "")


def test_a_turn_that_was_lost_ends_nothing(ground: Ground, job: Job) -> None:
    late = lease_next(ground, EVALUATIONS)
    assert late is not None
    assert lease_next(ground, EVALUATIONS) is None, "it is leased"
    with ground.database.write() as session:
        session.execute(update(Evaluation).values(until=0.0))
    assert evaluate_next(ground)
    with pytest.raises(LeaseLost):
        end_evaluation(ground, late, None, failure="late")
    assert found(ground, job).failure is None
    assert report_of(ground, job)["items"] == 70


def test_an_evaluation_that_kills_its_worker_is_given_up(ground: Ground, job: Job) -> None:
    for _ in range(ground.settings.max_turns):
        assert lease_next(ground, EVALUATIONS) is not None
        with ground.database.write() as session:
            session.execute(update(Evaluation).values(until=0.0))
    assert evaluate_next(ground)
    assert "several tries" in (found(ground, job).failure or "")
    assert not is_due(ground.database, EVALUATIONS)


class Away(Storage):
    """Cannot be read."""

    def open(self, name: str) -> Any:
        raise StorageError("away")


def test_a_store_that_is_away_costs_no_try(ground: Ground, job: Job) -> None:
    away = dataclasses.replace(ground, storage=Away(ground.storage.url))
    for _ in range(ground.settings.max_turns + 1):
        with pytest.raises(StorageError):
            evaluate_next(away)
        assert not is_due(ground.database, EVALUATIONS), "it waits for a while"
        with ground.database.write() as session:
            session.execute(update(Evaluation).values(until=0.0))
    assert evaluate_next(ground)
    assert report_of(ground, job)["items"] == 70


def test_a_deleted_job_takes_its_evaluation_with_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, job: Job
) -> None:
    evaluate_next(ground)
    delete_job(ground, tenant.tenant_id, job.id)
    with ground.database.read() as session:
        assert session.get(Evaluation, job.id) is None
        assert evaluations_of(session, tenant.tenant_id, digits_model, 5) == []
    assert list(ground.storage.list(f"jobs/{job.id}/")) == []


def test_a_job_that_is_marked_as_deleted_is_on_no_card_any_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, job: Job
) -> None:
    evaluate_next(ground)
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(deleted_at=1.0))
    with ground.database.read() as session:
        assert evaluations_of(session, tenant.tenant_id, digits_model, 5) == []


def test_when_the_results_time_is_over_the_figures_stay_and_names_and_labels_go(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, job: Job
) -> None:
    evaluate_next(ground)
    age(ground, job, 31 * 86_400)
    assert erase_due(ground) == 1
    evaluation = found(ground, job)
    assert report_of(ground, job)["figures"] == {"accuracy": pytest.approx(67 / 68)}
    assert (evaluation.unanswered, evaluation.truth) == (None, None)
    assert list(ground.storage.list(f"jobs/{job.id}/")) == []
    with ground.database.read() as session:
        assert len(evaluations_of(session, tenant.tenant_id, digits_model, 5)) == 1


def test_results_that_are_erased_first_are_not_evaluated(ground: Ground, job: Job) -> None:
    late = lease_next(ground, EVALUATIONS)
    assert late is not None
    age(ground, job, 31 * 86_400)
    assert erase_due(ground) == 1
    with pytest.raises(LeaseLost):
        end_evaluation(ground, late, {}, {})
    assert "erased" in (found(ground, job).failure or "")
    assert not is_due(ground.database, EVALUATIONS)


def test_the_truth_of_a_preparation_that_died_is_tidied_and_the_one_that_counts_stays(
    ground: Ground, job: Job
) -> None:
    ground.storage.put(f"jobs/{job.id}/truth-of-the-dead.parquet", [b"x"])
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(tidy_at=1.0))
    make_due(ground)
    assert tidy_due(ground) == 1
    assert evaluate_next(ground)
    assert report_of(ground, job)["items"] == 70


def test_a_tenant_finds_its_own_newest_evaluations_of_one_version_alone(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    second = second_version(ground, digits_model, description="other")
    mine = []
    for key, version in ((tenant, digits_model), (other, digits_model), (tenant, second),
                         (tenant, digits_model), (tenant, digits_model)):  # fmt: skip
        made = evaluate(ground, key, version, digits(10))
        answer_all(ground, lambda index: one(str(index)))
        assert evaluate_next(ground)
        if key is tenant and version is digits_model:
            mine.append(made.id)
    with ground.database.read() as session:
        listed = evaluations_of(session, tenant.tenant_id, digits_model, 2)
    assert [job.id for job, _ in listed] == mine[:0:-1]
    assert {summary["value"] for _, summary in listed} == {1.0}


def test_an_ordinary_job_has_no_evaluation(ground: Ground, job: Job) -> None:
    ordinary = Job(id="job_other")
    with pytest.raises(NotFound, match="no evaluation"), ground.database.read() as session:
        get_evaluation(session, ordinary)
