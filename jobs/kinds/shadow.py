"""A sample of a job's items on a version that is on trial; no caller sees it.

    PUT …/aliases/production/shadow {version, percent}      (jobs.versions.shadows)
        │
        ▼ a job that came by this alias completes: in the same transaction (jobs.queue.completion)
    a child job of the system's tenant, over the sampled shards ──► compared ──► totals, erased

It belongs to another tenant, calls nobody, and is charged to that tenant, whose weight is so small
that it runs where nobody else waits. It begins when its parent is over, and so takes no time from
it. What is to be erased with the parent is erased with it (jobs.aftercare.retention): first of all
the shadow.

Not shadowed are jobs that ask for their inputs to be erased, since these go at that very moment,
and jobs that name URLs or buckets, since whoever serves them would see it.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.ids import new_id
from jobs.base.states import JobKind, JobStatus, VersionState
from jobs.kinds.cutting import cut_shards
from jobs.kinds.kind import Kind
from jobs.kinds.rerun import compared_with_parent
from jobs.tables import Job, ModelShadow, ModelVersion, Requested
from jobs.tenants.keys import shadow_tenant
from jobs.versions.registry import DEFAULT_ALIAS

# One that does not find its time within a day is given up: newer jobs tell more.
_WINDOW_S = 86_400.0
_STEPS = 10_000


class _Shadow(Kind):
    word = JobKind.SHADOW
    is_listed = False
    is_trial = True
    may_fetch = False

    def runs_of_parent(self, job: Job, parent: Job, version: ModelVersion) -> list[range]:
        """Give the sample: some of the shards as the parent was first cut."""
        return list(_sampled_runs(parent, version, job.requested["percent"]))

    def why_not_compared(self, job: Job) -> str | None:
        """Say why it has no figures, unless all of it ran."""
        return None if job.status is JobStatus.COMPLETED else f"The shadow is {job.status}."

    def compared(self, session: Session, job: Job, figures: dict[str, float]) -> None:
        """Add its figures to the totals, if it is still the same trial.

        `figures` are named like the columns of `model_shadows`.
        """
        columns = {name: getattr(ModelShadow, name) + value for name, value in figures.items()}
        session.execute(
            update(ModelShadow)
            .where(
                ModelShadow.name == job.model_name,
                ModelShadow.alias == job.requested["alias"],
                ModelShadow.version == job.model_version,
                ModelShadow.created_at <= job.created_at,
            )
            .values(**columns, jobs=ModelShadow.jobs + 1, updated_at=db_now())
        )


def cast_shadow(session: Session, job: Job) -> None:
    """Insert the shadow of a job that has just completed, if it is to have one.

    The caller holds the job's row.
    """
    if job.status is not JobStatus.COMPLETED:
        return
    alias = alias_of(job)
    if alias is None or job.delete_inputs or job.source is not None:
        return
    setting = session.get(ModelShadow, (job.model_name, alias))
    if setting is None or setting.version == job.model_version:
        return
    ran = session.get(ModelVersion, (job.model_name, job.model_version))
    tried = session.get(ModelVersion, (setting.name, setting.version))
    if ran is None or tried is None or tried.state is not VersionState.READY:
        return
    if not _is_any_sampled(job, ran, setting.percent):
        return
    shadow = _shadow_of(session, job, setting, tried)
    session.add(shadow)
    session.flush()
    session.add(compared_with_parent(shadow))


def alias_of(job: Job) -> str | None:
    """Give the alias by which a job named its model; None when it named a version."""
    wanted = Requested.read(job.requested).model.partition("@")[2] or DEFAULT_ALIAS
    return None if wanted.isdecimal() else wanted


def _shadow_of(session: Session, job: Job, setting: ModelShadow, tried: ModelVersion) -> Job:
    now = session.scalar(select(db_now())) or 0.0
    return Job(
        id=new_id("job"),
        tenant_id=shadow_tenant(session),
        kind=SHADOW.word,
        parent_id=job.id,
        status=JobStatus.VALIDATING,
        requested={"alias": setting.alias, "percent": setting.percent},
        model_name=tried.name,
        model_version=tried.version,
        model_digest=tried.digest,
        pool=job.pool,
        params=job.params,
        priority="low",
        metadata_={},
        created_at=now,
        expires_at=now + _WINDOW_S,
    )


def _is_any_sampled(job: Job, version: ModelVersion, percent: int) -> bool:
    return bool(list(islice(_sampled_runs(job, version, percent), 1)))


def _sampled_runs(job: Job, version: ModelVersion, percent: int) -> Iterator[range]:
    """Choose among the shards as the job was first cut, whatever became of them later."""
    for shard in cut_shards(job.id, job.total, version.shard_items):
        if is_sampled(job.id, shard["first"], percent):
            yield range(shard["first"], shard["first"] + shard["count"])


def is_sampled(job_id: str, first: int, percent: int) -> bool:
    """Say whether a shard is in the sample: the same answer whenever it is asked."""
    digest = hashlib.blake2b(f"{job_id}/{first}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % _STEPS < percent * _STEPS // 100


SHADOW = _Shadow()
