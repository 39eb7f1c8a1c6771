"""Registered models: immutable versions, found by the words that a caller uses for them.

    digits            the version that the alias `production` names, else the newest that is ready
    digits@3          version 3
    digits@candidate  the version that this alias names
    my/cats           the caller's own (jobs.versions.names)

A job pins a version when it is submitted. While an alias has a canary, some jobs are given that
version instead (jobs.versions.canaries).
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict, InvalidRequest, ModelNotReady
from jobs.base.states import VersionState
from jobs.base.storage import Storage, weights_name
from jobs.tables import ModelAlias, ModelVersion
from jobs.tenants.audit import OPERATOR, Actor, write_entry
from jobs.versions.canaries import is_chosen
from jobs.versions.names import shown_name, stored_name, unknown_model

DEFAULT_ALIAS = "production"

# What a version answers does not hang on these members of its record.
_NOTES = frozenset(
    {"name", "description", "metrics", "limits", "max_batch", "shard_items", "provenance", "asked"}
)
_LIVE = (VersionState.VALIDATING, VersionState.READY)
_TRIES = 10
# Of models, among which a misspelt name is looked for.
_MOST_NAMES = 1000

# Built once, for submissions ask them. The newest is one that is ready, where there is one.
_NEWEST = (
    select(ModelVersion)
    .where(
        ModelVersion.name == bindparam("of_name"),
        ModelVersion.state != VersionState.DELETED,
    )
    .order_by(case((ModelVersion.state == VersionState.READY, 0), else_=1))
    .order_by(ModelVersion.version.desc())
    .limit(1)
)
_HOLD_VERSION = (
    select(db_now())
    .select_from(ModelVersion)
    .where(
        ModelVersion.name == bindparam("of_name"),
        ModelVersion.version == bindparam("number"),
        ModelVersion.state == VersionState.READY,
    )
    .with_for_update(read=True)
)


class Unwanted(Exception):
    """Nobody waits any more for the version that was to be registered."""


class Choice(NamedTuple):
    """The version that a job is to run, and the trial that it came into, if any."""

    version: ModelVersion
    canary_id: str | None = None


def register(
    database: Database,
    storage: Storage,
    name: str,
    record: dict[str, Any],
    weights: bytes,
    digest: str,
    actor: Actor = OPERATOR,
    check: Callable[[Session], object] | None = None,
) -> ModelVersion:
    """Store weights that were tried out as the next version of a model, ready to run.

    `name` is the stored one. Weights that the model has already, with an equal record, give the
    version that they have. `check` is called in the transaction and may raise Unwanted.
    """
    with database.read() as session:
        known = _find_equal(session, name, record, digest)
    if known is not None:
        return known
    blob = weights_name()
    storage.put(blob, [weights])
    try:
        ready = VersionState.READY
        version, is_new = add_version(database, name, record, blob, digest, ready, actor, check)
    except Unwanted:
        storage.delete([blob])
        raise
    if not is_new:
        storage.delete([blob])
    return version


def add_version(
    database: Database,
    name: str,
    record: dict[str, Any],
    weights: str,
    digest: str,
    state: VersionState,
    actor: Actor,
    check: Callable[[Session], object] | None = None,
    check_blob: str | None = None,
) -> tuple[ModelVersion, bool]:
    """Give stored weights the next number of a model; False with the version that they have.

    A version that was refused has used up no number: the next one takes it. `check_blob` is what a
    worker is to hold it against.
    """
    for _ in range(_TRIES):
        try:
            with database.write() as session:
                if check is not None:
                    check(session)
                # Before looking for an equal one: who registers it meanwhile takes this number.
                number = 1 + (_newest_number(session, name) or 0)
                known = _find_equal(session, name, record, digest)
                if known is not None:
                    return known, False
                now = session.scalar(select(db_now())) or 0.0
                refused = _refused_row(session, name, number)
                version = refused or ModelVersion(name=name, version=number)
                version.digest, version.record, version.weights = digest, record, weights
                version.author, version.state, version.reason = actor.who, state, None
                version.fence, version.lease_until, version.erased_at = 0, None, None
                version.check_blob, version.proof = check_blob, None
                version.created_at = now
                session.add(version)
                subject = f"{name}@{version.version}"
                write_entry(session, actor, "model.registered", subject, digest=digest)
                session.flush()
                return version, True
        except IntegrityError:
            # Somebody else was given the number at the same moment.
            continue
    raise Conflict(f"Many versions of {shown_name(name)!r} are being registered; try again.")


def find(session: Session, reference: str, tenant_id: str, job_id: str | None = None) -> Choice:
    """Find the version that a tenant means, whatever its state; raises UnknownModel.

    With the id of the job that is to run it, the version that this very job is given.
    """
    name, _, wanted = reference.partition("@")
    stored = stored_name(name, tenant_id)
    canary_id = None
    if wanted.isdecimal() and wanted.isascii() and len(wanted) < 9:
        version = session.get(ModelVersion, (stored, int(wanted)))
    elif alias := session.get(ModelAlias, (stored, wanted or DEFAULT_ALIAS)):
        number, canary_id = _version_for_job(alias, job_id)
        version = session.get(ModelVersion, (stored, number))
    else:
        version = None if wanted else session.scalar(_NEWEST, {"of_name": stored})
    if version is None or version.state is VersionState.DELETED:
        raise unknown_model(reference, _near(session, name, tenant_id))
    return Choice(version, canary_id)


def is_seen_by(tenant_id: str) -> ColumnElement[bool]:
    """Give the condition that a version is of a model that a tenant sees: everybody's, or its."""
    name = ModelVersion.name
    return or_(
        ~name.startswith("ten_", autoescape=True),
        name.startswith(f"{tenant_id}/", autoescape=True),
    )


def _near(session: Session, name: str, tenant_id: str) -> str | None:
    """Give the model, among those that a tenant sees, whose name is most like another word."""
    seen = select(ModelVersion.name).where(
        ModelVersion.state == VersionState.READY, is_seen_by(tenant_id)
    )
    names = map(shown_name, session.scalars(seen.distinct().limit(_MOST_NAMES)))
    return next(iter(get_close_matches(name, sorted(names), 1)), None)


def choose(session: Session, reference: str, tenant_id: str, job_id: str) -> Choice:
    """Find the version that a new job is given; raises UnknownModel and ModelNotReady."""
    choice = find(session, reference, tenant_id, job_id)
    check_ready(choice.version)
    return choice


def resolve(session: Session, reference: str, tenant_id: str) -> ModelVersion:
    """Find the version that a tenant's words stand for; raises UnknownModel and ModelNotReady."""
    version = find(session, reference, tenant_id).version
    check_ready(version)
    return version


def check_ready(version: ModelVersion) -> None:
    """Refuse a version that cannot be run; raises ModelNotReady, saying why."""
    name = f"{shown_name(version.name)}@{version.version}"
    if version.state is VersionState.VALIDATING:
        raise ModelNotReady(
            f"{name} is still being tried out by a worker. GET /v1/models/{name} says when it is "
            "ready.",
            param="model",
        )
    if version.state is not VersionState.READY:
        raise ModelNotReady(
            f"{name} cannot be run: {version.reason or 'it was deleted.'}", param="model"
        )


def hold_version(session: Session, name: str, version: int) -> float:
    """Keep a version from being deleted until this transaction, which names it, has ended.

    Gives the database's time, as it was before any wait. Raises UnknownModel when the version was
    deleted just now.
    """
    wanted = {"of_name": name, "number": version}
    now: float | None = session.connection().scalar(_HOLD_VERSION, wanted)
    if now is None:
        raise unknown_model(f"{shown_name(name)}@{version}")
    return now


def read_version(session: Session, name: str, version: int) -> ModelVersion:
    """Give a version that a job has pinned, by its stored name; raises UnknownModel."""
    found = session.get(ModelVersion, (name, version))
    if found is None:
        raise unknown_model(f"{shown_name(name)}@{version}")
    return found


def task_of(session: Session, name: str, besides: ModelVersion | None = None) -> str | None:
    """Give the task that a model does, by its stored name; None for one that is not there yet.

    Versions whose task a worker has still to read do not count, nor does `besides`.
    """
    task = ModelVersion.record["task"].as_string()
    live = select(task).where(ModelVersion.name == name, ModelVersion.state.in_(_LIVE), task != "")
    if besides is not None:
        live = live.where(ModelVersion.version != besides.version)
    return session.scalar(live.limit(1))


def check_task(session: Session, name: str, task: str, param: str) -> None:
    """Refuse a version for another task than the model's others; raises InvalidRequest."""
    before = task_of(session, name)
    if before is not None and before != task:
        raise InvalidRequest(other_task(name, before, task), param=param)


def other_task(name: str, before: str, task: str) -> str:
    """Say why a version may not do another task than its model's other versions."""
    return (
        f"{shown_name(name)!r} does {before}, and all versions of a model do the same task; make "
        f"one for {task} under another name."
    )


def _version_for_job(alias: ModelAlias, job_id: str | None) -> tuple[int, str | None]:
    """Give the number of the version that an alias stands for, and the trial that the job joins."""
    if alias.canary is None or alias.canary_id is None or job_id is None:
        return alias.version, None
    is_canarys = is_chosen(alias.canary_id, job_id, alias.canary["percent"])
    return alias.canary["version"] if is_canarys else alias.version, alias.canary_id


def _newest_number(session: Session, name: str) -> int | None:
    """Give the highest number that a model has ever had, but for those that were refused."""
    return session.scalar(
        select(func.max(ModelVersion.version)).where(
            ModelVersion.name == name, ModelVersion.state != VersionState.REFUSED
        )
    )


def _refused_row(session: Session, name: str, number: int) -> ModelVersion | None:
    """Lock the row of a version that was refused, to be written anew; None where there is none.

    What is left of its weights is tidied up.
    """
    return session.scalar(
        select(ModelVersion)
        .where(
            ModelVersion.name == name,
            ModelVersion.version == number,
            ModelVersion.state == VersionState.REFUSED,
        )
        .with_for_update()
    )


def _find_equal(
    session: Session, name: str, record: dict[str, Any], digest: str
) -> ModelVersion | None:
    """Find the version of a model that answers as these weights with this record would."""
    same_weights = session.scalars(
        select(ModelVersion)
        .where(
            ModelVersion.name == name,
            ModelVersion.digest == digest,
            ModelVersion.state.in_(_LIVE),
        )
        .order_by(ModelVersion.version)
    )
    wanted = _answering(record)
    return next((each for each in same_weights if _answering(each.record) == wanted), None)


def _answering(record: dict[str, Any]) -> dict[str, Any]:
    # What a worker has read of a record follows from what was asked, and the weights.
    asked = record.get("asked") or record
    return {name: value for name, value in asked.items() if value and name not in _NOTES}
