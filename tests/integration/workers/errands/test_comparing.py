"""What a comparison says of two jobs is what anybody would count who reads both."""

import dataclasses
from typing import Any

import pytest
from sqlalchemy import update

from jobs.aftercare.comparison import (
    COMPARISONS,
    end_comparison,
    get_comparison,
    read_changes,
)
from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.states import ItemStatus
from jobs.base.storage import Storage, StorageError, changes_name
from jobs.leases.leases import LeaseLost, is_due, lease_next
from jobs.queue.completion import cancel
from jobs.results.segments import ItemError, Row, to_json
from jobs.tables import Comparison, Job, ModelVersion
from jobs.tenants.keys import NewKey
from jobs.versions.registry import register
from models.answers.agreement import measure_of
from tests.integration.jobs.builders import (
    answer_all,
    claim_one,
    rerun,
    run_one,
    second_version,
    submit_items,
)
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.test_retention import age
from tests.integration.jobs.test_tidying import make_due
from workers.errands.comparing import Tally, compare_next

BROKEN = ItemError("image_decode_failed", "It is broken.")
MISSING = ItemError("input_missing", "It is gone.")


def one(name: str) -> list[dict[str, Any]]:
    return [{"class": name, "class_id": int(name), "confidence": 0.9}]


def compared(ground: Ground, job: Job) -> Comparison:
    with ground.database.read() as session:
        return get_comparison(session, job)


def report_of(ground: Ground, job: Job) -> dict[str, Any]:
    report = compared(ground, job).report
    assert report is not None
    return report


def two_jobs(
    ground: Ground, tenant: NewKey, model: ModelVersion, before: Any, after: Any, count: int = 70
) -> tuple[Job, Job]:
    """A job and its rerun, both over; `before` and `after` give each item's answer."""
    parent = submit_items(ground, tenant, model, count=count)
    answer_all(ground, before, device_s=0.01)
    child = rerun(ground, parent, second_version(ground, model, description="other"))
    answer_all(ground, after, device_s=0.02)
    return parent, child


def test_every_item_is_counted_where_it_belongs(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    before: dict[int, Any] = {0: BROKEN, 1: BROKEN, 2: one("1"), 3: MISSING}
    after: dict[int, Any] = {0: BROKEN, 1: one("1"), 2: BROKEN, 3: one("1"), 64: one("7"), 65: []}
    _, child = two_jobs(
        ground,
        tenant,
        digits_model,
        lambda index: before.get(index, one("1")),
        lambda index: after.get(index, one("1")),
    )
    assert is_due(ground.database, COMPARISONS)
    assert compare_next(ground)
    assert not is_due(ground.database, COMPARISONS)
    report = report_of(ground, child)
    assert report["items"] == {
        "total": 70, "compared": 66, "same": 64, "changed": 4, "left_out": 1,
        "errored_both": 1, "errored_before": 1, "errored_after": 1,
    }  # fmt: skip
    assert report["agreement"] == report["similarity"] == pytest.approx(64 / 66)
    assert report["confusion"] == [
        {"before": "1", "after": "1", "count": 64},
        {"before": "1", "after": "7", "count": 1},
        {"before": "1", "after": None, "count": 1},
    ]
    changes = read_changes(ground, compared(ground, child), 0, 100)
    assert [change["index"] for change in changes] == [1, 2, 64, 65]
    assert changes[0]["before"]["error"]["code"] == "image_decode_failed"
    assert changes[2]["custom_id"] == "item-64"
    assert changes[2]["before"]["predictions"] == one("1")
    assert changes[2]["after"]["predictions"] == one("7")


def test_versions_without_a_class_in_common_are_not_said_to_disagree(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=3)
    answer_all(ground, lambda _: one("1"))
    other = second_version(ground, digits_model, labels=["tench", "goldfish"])
    child = rerun(ground, parent, other)
    answer_all(ground, lambda _: [{"class": "tench", "class_id": 0, "confidence": 0.9}])
    assert compare_next(ground)
    report = report_of(ground, child)
    assert (report["agreement"], report["similarity"]) == (None, None)
    assert (report["items"]["compared"], report["items"]["changed"]) == (3, 3)


def test_an_own_model_is_called_by_its_owners_name(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    own = register(
        ground.database,
        ground.storage,
        f"{tenant.tenant_id}/cats",
        digits_model.record,
        b"weights",
        "sha256:1",
    )
    _, child = two_jobs(ground, tenant, own, lambda _: one("1"), lambda _: one("1"))
    compare_next(ground)
    report = report_of(ground, child)
    assert [report[side]["model"] for side in ("before", "after")] == ["my/cats@1", "my/cats@2"]


def test_the_pace_of_both_versions_is_told(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("1"))
    compare_next(ground)
    report = report_of(ground, child)
    for side, model, device_s in (("before", "digits@1", 0.01), ("after", "digits@2", 0.02)):
        assert report[side]["model"] == model
        assert report[side]["device_s_per_item"] == pytest.approx(device_s)
        assert report[side]["items_per_s"] == pytest.approx(70 / report[side]["ran_s"])


def test_many_changes_are_read_page_by_page(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(
        ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"), count=700
    )
    compare_next(ground)
    comparison, found = compared(ground, child), []
    while page := read_changes(ground, comparison, len(found), 150):
        assert len(page) <= 150
        found += [change["index"] for change in page]
    assert found == list(range(700))


def test_items_that_never_ran_are_left_out(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent = submit_items(ground, tenant, digits_model, count=70)
    child = rerun(ground, parent, digits_model)
    for _ in range(4):
        run_one(ground, claim_one(ground))
    cancel(ground.database, tenant.tenant_id, parent.id)
    assert lease_next(ground, COMPARISONS) is None, "one of the two is not over"
    answer_all(ground, lambda _: [])
    compare_next(ground)
    items = report_of(ground, child)["items"]
    ran = read_job(ground, parent.id).completed
    assert 0 < ran < 70
    assert (items["compared"], items["left_out"]) == (ran, 70 - ran)


def test_a_url_that_gave_another_image_says_nothing_of_the_versions() -> None:
    tally = Tally(measure_of("classification"), with_classes=True)
    for hashes in (("a", "a"), ("a", "b"), ("a", None)):
        before, after = (
            Row(0, "x", ItemStatus.SUCCEEDED, sha256, 1, to_json(one(name)))
            for sha256, name in zip(hashes, "17", strict=True)
        )
        tally.add(before, after)
    assert (tally.total, tally.compared, tally.left_out) == (3, 2, 1)


def test_a_rerun_that_could_not_be_prepared_has_a_comparison_that_says_so(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: [], lambda _: [])
    with ground.database.write() as session:
        failed = {"status": "failed", "status_reason": "Nothing could be read."}
        session.execute(update(Job).where(Job.id == child.id).values(**failed))
    compare_next(ground)
    comparison = compared(ground, child)
    assert comparison.report is None
    assert "Nothing could be read." in (comparison.failure or "")


def test_a_turn_that_was_lost_ends_nothing_and_leaves_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    late = lease_next(ground, COMPARISONS)
    assert late is not None
    assert lease_next(ground, COMPARISONS) is None, "it is leased"
    with ground.database.write() as session:
        session.execute(update(Comparison).values(until=0.0))
    assert compare_next(ground)
    with pytest.raises(LeaseLost), ground.database.write() as session:
        end_comparison(session, late, None, None, "late")
    assert compared(ground, child).report is not None


def test_the_changes_of_a_turn_that_died_are_tidied_and_those_that_count_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    lease_next(ground, COMPARISONS)
    ground.storage.put(f"jobs/{child.id}/changes-of-the-dead.parquet", [b"x"])
    make_due(ground)
    assert tidy_due(ground) == 0, "while it is being compared nothing is a stray"
    with ground.database.write() as session:
        session.execute(update(Comparison).values(until=0.0))
    compare_next(ground)
    make_due(ground)
    assert tidy_due(ground) == 1
    assert len(read_changes(ground, compared(ground, child), 0, 100)) == 70


class Away(Storage):
    """Cannot be written to."""

    def create(self, name: str) -> Any:
        raise StorageError("away")


def test_a_store_that_is_away_costs_no_try(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("1"))
    away = dataclasses.replace(ground, storage=Away(ground.storage.url))
    for _ in range(5):
        with pytest.raises(StorageError):
            compare_next(away)
        assert not is_due(ground.database, COMPARISONS), "it waits for a while"
        with ground.database.write() as session:
            session.execute(update(Comparison).values(until=0.0))
    assert compare_next(ground)
    assert compared(ground, child).report is not None


def test_a_comparison_that_kills_its_worker_is_given_up(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("1"))
    for _ in range(ground.settings.max_turns):
        assert lease_next(ground, COMPARISONS) is not None
        with ground.database.write() as session:
            session.execute(update(Comparison).values(until=0.0))
    assert compare_next(ground)
    assert "several tries" in (compared(ground, child).failure or "")
    assert not is_due(ground.database, COMPARISONS)


def test_the_answers_of_a_deleted_parent_are_in_no_comparison_any_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    compare_next(ground)
    delete_job(ground, tenant.tenant_id, parent.id)
    with pytest.raises(NotFound, match="no comparison"):
        compared(ground, child)
    assert not [name for name in ground.storage.list(f"jobs/{child.id}/") if "changes" in name]
    assert list(ground.storage.list(f"jobs/{parent.id}/")) == []


def test_of_a_parent_whose_time_is_over_the_figures_stay_and_the_answers_go(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    compare_next(ground)
    age(ground, parent, 31 * 86_400)
    assert erase_due(ground) == 1
    comparison = compared(ground, child)
    assert comparison.report is not None
    with pytest.raises(NotFound, match="erased"):
        read_changes(ground, comparison, 0, 10)
    assert not [name for name in ground.storage.list(f"jobs/{child.id}/") if "changes" in name]


@pytest.mark.parametrize("is_deleted", [True, False])
def test_answers_that_a_worker_left_behind_when_they_were_erased_are_found(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, is_deleted: bool
) -> None:
    parent, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    turn = lease_next(ground, COMPARISONS)
    assert turn is not None
    if is_deleted:
        delete_job(ground, tenant.tenant_id, parent.id)
    else:
        age(ground, parent, 31 * 86_400)
        assert erase_due(ground) == 1
    # The worker is killed when it has written them, and before it hears that nobody wants them.
    ground.storage.put(changes_name(child.id), [b"what the parent had answered"])
    assert read_job(ground, child.id).tidy_at is not None
    make_due(ground)
    assert tidy_due(ground) == 1
    assert not [name for name in ground.storage.list(f"jobs/{child.id}/") if "changes" in name]
    assert list(ground.storage.list(f"jobs/{child.id}/")), "its own results stay"


def test_results_that_are_erased_first_are_not_compared(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    parent, child = two_jobs(ground, tenant, digits_model, lambda _: one("1"), lambda _: one("7"))
    late = lease_next(ground, COMPARISONS)
    assert late is not None
    age(ground, parent, 31 * 86_400)
    assert erase_due(ground) == 1
    with pytest.raises(LeaseLost), ground.database.write() as session:
        end_comparison(session, late, {}, "changes")
    assert "erased" in (compared(ground, child).failure or "")
    assert not is_due(ground.database, COMPARISONS)
