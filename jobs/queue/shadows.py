"""Shadows: a version on trial also runs on a sample of what comes in by an alias.

    PUT …/aliases/production/shadow {version, percent}
        │
        ▼ a job that came by this alias completes: in the same transaction (jobs.queue.completion)
    a child job of the system's tenant, over the sampled shards ──► compared ──► totals, erased

No caller sees it: it belongs to another tenant, calls nobody, and is charged to that tenant, whose
weight is so small that it runs where nobody else waits. It begins when its parent is over, and so
takes no time from it. What is to be erased with the parent is erased with it
(jobs.aftercare.retention): first of all the shadow.

Not shadowed are jobs that ask for their inputs to be erased, since these go at that very moment,
and jobs that name URLs or buckets, since whoever serves them would see it.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.states import JobKind, JobStatus, VersionState
from jobs.queue.shards import cut_shards
from jobs.tables import Comparison, Job, ModelAlias, ModelShadow, ModelVersion
from jobs.tenants.audit import Actor, write_entry
from jobs.tenants.keys import shadow_tenant
from jobs.versions.names import shown_name
from jobs.versions.registry import DEFAULT_ALIAS, hold_version, read_version

# One that does not find its time within a day is given up: newer jobs tell more.
_WINDOW_S = 86_400.0
_STEPS = 10_000


def set_shadow(
    database: Database, name: str, alias: str, version: int, percent: int, actor: Actor
) -> ModelShadow:
    """Have a version run in the shadow of an alias, with new totals; gives the setting.

    `name` is the stored one. Raises NotFound without the alias, UnknownModel without the version,
    and InvalidRequest when it does another task than the version that the alias names.
    """
    with database.write() as session:
        _check_trial(session, name, alias, version)
        shadow_tenant(session)
        _remove(session, name, alias)
        shadow = ModelShadow(
            name=name,
            alias=alias,
            version=version,
            percent=percent,
            created_at=session.scalar(select(db_now())) or 0.0,
        )
        session.add(shadow)
        said = {"version": version, "percent": percent}
        write_entry(session, actor, "shadow.begun", f"{name}@{alias}", **said)
        session.flush()
    return shadow


def get_shadow(session: Session, name: str, alias: str) -> ModelShadow:
    """Give the setting of an alias with its totals; raises NotFound."""
    shadow = session.get(ModelShadow, (name, alias))
    if shadow is None:
        raise NotFound(f"No version runs in the shadow of {shown_name(name)}@{alias}.")
    return shadow


def end_shadow(database: Database, name: str, alias: str, actor: Actor) -> None:
    """Have no version run in the shadow of an alias any more; its totals go. Raises NotFound."""
    with database.write() as session:
        version = get_shadow(session, name, alias).version
        _remove(session, name, alias)
        write_entry(session, actor, "shadow.ended", f"{name}@{alias}", version=version)


def cast_shadow(session: Session, job: Job) -> None:
    """Insert the shadow of a job that has just completed, if it is to have one.

    The caller holds the job's row.
    """
    if job.kind is not JobKind.SUBMITTED or job.status is not JobStatus.COMPLETED:
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


def compared_with_parent(job: Job) -> Comparison:
    """Give the comparison that a rerun or shadow is stored with, due when both jobs are over."""
    return Comparison(job_id=job.id, parent_id=job.parent_id, created_at=job.created_at)


def alias_of(job: Job) -> str | None:
    """Give the alias by which a job named its model; None when it named a version."""
    wanted = str(job.requested.get("model", "")).partition("@")[2] or DEFAULT_ALIAS
    return None if wanted.isdecimal() else wanted


def sampled_runs_of(shadow: Job, parent: Job, version: ModelVersion) -> list[range]:
    """Give the items of `parent`, which ran `version`, that its shadow runs: runs in order."""
    return list(_sampled_runs(parent, version, shadow.requested["percent"]))


def add_figures(session: Session, shadow: Job, figures: dict[str, float]) -> None:
    """Add the figures of a shadow that was compared to the totals, if it is still the same trial.

    `figures` are named like the columns of `model_shadows`.
    """
    columns = {name: getattr(ModelShadow, name) + value for name, value in figures.items()}
    session.execute(
        update(ModelShadow)
        .where(
            ModelShadow.name == shadow.model_name,
            ModelShadow.alias == shadow.requested["alias"],
            ModelShadow.version == shadow.model_version,
            ModelShadow.created_at <= shadow.created_at,
        )
        .values(**columns, jobs=ModelShadow.jobs + 1, updated_at=db_now())
    )


def _check_trial(session: Session, name: str, alias: str, version: int) -> None:
    current = session.get(ModelAlias, (name, alias))
    if current is None:
        raise NotFound(f"Model {shown_name(name)!r} has no alias {alias!r}; set it first.")
    hold_version(session, name, version)
    both = [read_version(session, name, each) for each in (current.version, version)]
    if len({each.record["task"] for each in both}) > 1:
        raise InvalidRequest(
            f"Version {version} of {shown_name(name)!r} does another task than version "
            f"{current.version}, which {alias!r} names.",
            param="version",
        )


def _remove(session: Session, name: str, alias: str) -> None:
    found = ModelShadow.name == name, ModelShadow.alias == alias
    session.execute(delete(ModelShadow).where(*found))


def _shadow_of(session: Session, job: Job, setting: ModelShadow, tried: ModelVersion) -> Job:
    now = session.scalar(select(db_now())) or 0.0
    return Job(
        id=new_id("job"),
        tenant_id=shadow_tenant(session),
        kind=JobKind.SHADOW,
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
    for shard in cut_shards(job.id, job.total, version.record["shard_items"]):
        if is_sampled(job.id, shard["first"], percent):
            yield range(shard["first"], shard["first"] + shard["count"])


def is_sampled(job_id: str, first: int, percent: int) -> bool:
    """Say whether a shard is in the sample: the same answer whenever it is asked."""
    digest = hashlib.blake2b(f"{job_id}/{first}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % _STEPS < percent * _STEPS // 100
