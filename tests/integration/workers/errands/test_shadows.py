"""A shadow runs on a sample, tells its operator how it does, and is nothing to anybody else."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import InvalidRequest, NotFound, UnknownModel
from jobs.base.states import JobKind, JobStatus
from jobs.base.storage import Storage, StorageError
from jobs.inputs.manifests import Manifest
from jobs.inputs.requests import Request
from jobs.intake.preparation import PREPARATIONS, prepare_next
from jobs.kinds.shadow import is_sampled
from jobs.leases.leases import is_due
from jobs.queue.endpoints import create_endpoint
from jobs.queue.reading import list_jobs
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.queue.webhooks import EVENTS
from jobs.results.segments import ItemError
from jobs.tables import (
    Comparison,
    Delivery,
    Job,
    ModelAlias,
    ModelShadow,
    ModelVersion,
    Shard,
    Tenant,
)
from jobs.tenants.audit import OPERATOR, Actor
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.shadows import get_shadow, set_shadow
from tests.integration.jobs.builders import answer_all, claim_one, second_version, submit_items
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.jobs.test_retention import age
from workers.errands.comparing import compare_next

BROKEN = ItemError("image_decode_failed", "It is broken.")
MISSING = ItemError("input_missing", "It is gone.")


def one(name: str) -> list[dict[str, Any]]:
    return [{"class": name, "class_id": int(name), "confidence": 0.9}]


@pytest.fixture
def tried(ground: Ground, digits_model: ModelVersion) -> ModelVersion:
    """Version 2, wholly in the shadow of the alias `production`, which names version 1."""
    version = second_version(ground, digits_model, description="tried")
    with ground.database.write() as session:
        session.add(ModelAlias(name="digits", alias="production", version=1, updated_at=0.0))
    set_shadow(ground.database, "digits", "production", version.version, 100, OPERATOR)
    return version


def shadows_of(ground: Ground, job: Job) -> list[Job]:
    with ground.database.read() as session:
        found = select(Job).where(Job.parent_id == job.id, Job.kind == JobKind.SHADOW)
        return list(session.scalars(found))


def shadow_of(ground: Ground, job: Job) -> Job:
    """The one shadow of a job, with its items listed."""
    (shadow,) = shadows_of(ground, job)
    assert prepare_next(ground) == shadow.id
    return read_job(ground, shadow.id)


def totals(ground: Ground) -> ModelShadow:
    with ground.database.read() as session:
        return get_shadow(session, "digits", "production")


def blobs_of(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/"))


def test_a_shadow_is_compared_counted_and_erased(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=70)
    answer_all(ground, lambda index: BROKEN if index == 5 else one("1"), device_s=0.01)
    shadow = shadow_of(ground, job)
    assert (shadow.model_version, shadow.total) == (tried.version, 70)
    answers = {0: BROKEN, 64: one("7"), 65: MISSING}
    answer_all(ground, lambda index: answers.get(index, one("1")), device_s=0.03)
    assert check_job(ground, shadow.id).status is JobStatus.COMPLETED
    assert compare_next(ground)
    found = totals(ground)
    counts = (found.jobs, found.compared, found.same, found.errored_both)
    assert counts == (1, 67, 66, 0)
    assert (found.errored_before, found.errored_after) == (1, 1)
    assert found.device_after_s / found.device_before_s == pytest.approx(3)
    erase_due(ground)
    gone = read_job(ground, shadow.id)
    assert gone.outputs_erased_at is not None
    assert blobs_of(ground, shadow) == []
    assert [row.job_id for row in rows(ground, Comparison)] == []
    assert all(row.job_id == job.id for row in rows(ground, Shard))


def rows(ground: Ground, table: type) -> list[Any]:
    with ground.database.read() as session:
        return list(session.scalars(select(table)))


def test_only_the_sampled_shards_run_and_they_meet_their_own_items(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    set_shadow(ground.database, "digits", "production", tried.version, 50, OPERATOR)
    job = submit_items(ground, tenant, digits_model, count=256)
    sampled = [first for first in range(0, 256, 32) if is_sampled(job.id, first, 50)]
    while not 0 < len(sampled) < 8:
        answer_all(ground, lambda _: [])
        job = submit_items(ground, tenant, digits_model, count=256)
        sampled = [first for first in range(0, 256, 32) if is_sampled(job.id, first, 50)]
    indexes = [index for first in sampled for index in range(first, first + 32)]
    answer_all(ground, lambda index: one(str(index % 10)))
    while (prepared := prepare_next(ground)) is not None:
        last = prepared
    (shadow,) = shadows_of(ground, job)
    assert last == shadow.id
    manifest = Manifest(ground.storage, read_job(ground, shadow.id).manifest or "")
    names = [item.custom_id for item in manifest.items(0, manifest.total)]
    assert names == [f"item-{index}" for index in indexes]
    # Its items are numbered anew; only if each meets its own do all of them agree.
    answer_all(ground, lambda position: one(str(indexes[position] % 10)))
    while compare_next(ground):
        pass
    assert totals(ground).same == totals(ground).compared >= len(indexes)


def test_the_sample_is_as_large_as_it_is_to_be_and_always_the_same() -> None:
    firsts = range(0, 2_000_000, 100)
    for percent in (1, 10, 50, 99, 100):
        chosen = [first for first in firsts if is_sampled("job_1", first, percent)]
        assert len(chosen) / len(firsts) == pytest.approx(percent / 100, abs=0.01)
        assert chosen == [first for first in firsts if is_sampled("job_1", first, percent)]
    assert not any(is_sampled("job_1", first, 0) for first in firsts)


def test_no_caller_sees_or_pays_for_a_shadow(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    webhook = {"url": "http://x.example/", "events": ["job.completed"]}
    job = submit_items(ground, tenant, digits_model, count=70, webhook=webhook)
    answer_all(ground, lambda _: [])
    shadow = shadow_of(ground, job)
    with ground.database.read() as session:
        mine = session.get_one(Tenant, tenant.tenant_id)
        listed = list_jobs(session, tenant.tenant_id, after=None, limit=10)
        before = mine.share
    create_endpoint(ground, Actor("key_1", shadow.tenant_id), "https://x.example/", EVENTS, "")
    answer_all(ground, lambda _: [])
    with ground.database.read() as session:
        assert session.get_one(Tenant, tenant.tenant_id).share == before
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1, "the caller's"
    assert [each.id for each in listed] == [job.id]
    assert shadow.tenant_id != tenant.tenant_id
    assert read_job(ground, job.id).device_s == pytest.approx(0.7)
    with pytest.raises(InvalidRequest, match="the system's own"):
        create_key(ground.database, "pixelmill:shadows")


def test_whoever_waits_goes_before_a_shadow(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=256)
    answer_all(ground, lambda _: [])
    shadow = shadow_of(ground, job)
    claim_one(ground)
    other = submit_items(ground, tenant, digits_model, count=256)
    leases = [claim(ground.database, Line("cpu"), "node", 30) for _ in range(8)]
    assert {lease.job_id for lease in leases if lease} == {other.id}
    assert read_job(ground, shadow.id).pending_shards == 7


@pytest.mark.parametrize(
    ("reference", "is_shadowed"),
    [("digits", True), ("digits@production", True), ("digits@1", False), ("digits@other", False)],
)
def test_a_job_has_a_shadow_if_it_named_the_alias(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tried: ModelVersion,
    reference: str,
    is_shadowed: bool,
) -> None:
    requested = {"model": reference, "params": {}}
    job = submit_requested(ground, tenant, digits_model, requested)
    answer_all(ground, lambda _: [])
    assert bool(shadows_of(ground, job)) == is_shadowed


def submit_requested(
    ground: Ground, tenant: NewKey, model: ModelVersion, requested: dict[str, Any]
) -> Job:
    job = submit_items(ground, tenant, model, count=3)
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(requested=requested))
    return job


def test_a_job_that_runs_the_tried_version_anyway_has_no_shadow(
    ground: Ground, tenant: NewKey, tried: ModelVersion
) -> None:
    job = submit_items(ground, tenant, tried, count=3)
    answer_all(ground, lambda _: [])
    assert shadows_of(ground, job) == []


def test_a_job_that_wants_its_inputs_erased_has_no_shadow(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3, delete_inputs=True)
    answer_all(ground, lambda _: [])
    assert shadows_of(ground, job) == []
    assert erase_due(ground) == 1


def test_a_job_with_urls_is_not_shadowed_as_their_owners_would_see_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    requests = (Request("a", data=b"x"), Request("b", url="http://x.example/b"))
    job = submit_items(ground, tenant, digits_model, requests=requests)
    answer_all(ground, lambda _: [])
    shadow = shadow_of(ground, job)
    assert (shadow.status, shadow.total) == (JobStatus.FAILED, 0)
    assert compare_next(ground)
    assert read_job(ground, shadow.id).deleted_at is not None
    assert totals(ground).jobs == 0


def test_a_shadow_of_an_earlier_trial_counts_for_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=3)
    answer_all(ground, lambda _: [])
    shadow_of(ground, job)
    answer_all(ground, lambda _: [])
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.parent_id == job.id).values(created_at=db_now() - 9))
    set_shadow(ground.database, "digits", "production", tried.version, 100, OPERATOR)
    assert compare_next(ground)
    assert totals(ground).jobs == 0


def test_what_cannot_be_tried_is_refused(
    ground: Ground, digits_model: ModelVersion, tried: ModelVersion
) -> None:
    other = second_version(ground, digits_model, task="detection")
    with pytest.raises(InvalidRequest, match="another task"):
        set_shadow(ground.database, "digits", "production", other.version, 10, OPERATOR)
    with pytest.raises(UnknownModel):
        set_shadow(ground.database, "digits", "production", 99, 10, OPERATOR)
    with pytest.raises(NotFound, match="no alias"):
        set_shadow(ground.database, "digits", "nobody", tried.version, 10, OPERATOR)
    assert totals(ground).version == tried.version


class Away(Storage):
    """Cannot delete."""

    def delete(self, names: Sequence[str]) -> None:
        raise StorageError("away")


@pytest.mark.parametrize("way", ["deleted", "expired", "deleted while the store is away"])
@pytest.mark.parametrize("stage", ["unprepared", "waiting", "running", "over"])
def test_a_shadow_goes_with_its_job(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tried: ModelVersion,
    way: str,
    stage: str,
) -> None:
    job = submit_items(ground, tenant, digits_model, count=70)
    answer_all(ground, lambda _: [])
    (shadow,) = shadows_of(ground, job)
    if stage != "unprepared":
        shadow_of(ground, job)
    if stage == "running":
        claim_one(ground)
    if stage == "over":
        answer_all(ground, lambda _: [])
    if way == "expired":
        age(ground, job, 31 * 86_400)
    else:
        on = (
            dataclasses.replace(ground, storage=Away(ground.storage.url))
            if "away" in way
            else ground
        )
        gone = delete_job(on, tenant.tenant_id, job.id)
        assert (gone.outputs_erased_at is None) == ("away" in way)
    for _ in range(2):
        erase_due(ground)
    assert blobs_of(ground, shadow) == blobs_of(ground, job) == []
    shadow = read_job(ground, shadow.id)
    assert shadow.status in (JobStatus.CANCELLED, JobStatus.COMPLETED)
    assert (shadow.requested, shadow.params, shadow.manifest) == ({}, {}, None)
    assert [row.job_id for row in rows(ground, Comparison)] == []
    assert not compare_next(ground)
    assert not is_due(ground.database, PREPARATIONS)
    assert claim(ground.database, Line("cpu"), "node", 30) is None
