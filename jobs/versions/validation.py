"""How a version that came over HTTP is tried out: the work of an inference worker.

The API looks at the header of the weights and at the record; whether the network can be built of
them, and runs, can only be seen where torch is. A version in `validating` is leased like a shard
is: claimed with a number, renewed on the way, and written back only under that number. A worker
that dies leaves it where it was; one that kills several workers is refused.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.states import VersionState
from jobs.tables import ModelVersion, Table
from jobs.tenants.audit import WORKER, write_entry
from jobs.versions.registry import other_task, task_of

# How long a version waits before it is tried again when the store was away, or memory short.
_PAUSE_S = 5.0
# Loading a network of gigabytes takes longer than a shard may go without a renewal.
_TURN_LEASES = 4

_versions = Table.metadata.tables["model_versions"].c
# Built once: a worker asks it before every claim.
_WAITING = (
    select(_versions.name, _versions.version)
    .where(
        _versions.state == VersionState.VALIDATING,
        _versions.lease_until.is_(None) | (_versions.lease_until < db_now()),
    )
    .order_by(_versions.created_at)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to try one version out."""

    version: ModelVersion
    attempt: int


def has_unvalidated(database: Database) -> bool:
    """Say whether a version waits to be tried out; a read that disturbs nobody."""
    with database.read() as session:
        return session.connection().execute(_WAITING).first() is not None


def claim_version(database: Database, lease_s: float) -> Turn | None:
    """Take the version that has waited for longest; None when none waits."""
    if not has_unvalidated(database):
        return None
    with database.write() as session:
        waiting = session.execute(_WAITING.with_for_update(skip_locked=True)).first()
        if waiting is None:
            return None
        version = session.get_one(ModelVersion, tuple(waiting))
        version.attempt += 1
        until = select(db_now() + lease_s * _TURN_LEASES)
        version.lease_until = session.scalar(until)
        return Turn(version, version.attempt)


def renew_turn(database: Database, turn: Turn, lease_s: float) -> None:
    """Extend a turn; nothing when it is over."""
    with database.write() as session:
        version = _held(session, turn)
        if version is not None:
            version.lease_until = session.scalar(select(db_now() + lease_s * _TURN_LEASES))


def accept(
    database: Database,
    turn: Turn,
    record: dict[str, Any] | None = None,
    proof: dict[str, Any] | None = None,
) -> bool:
    """Say that a version runs; False when the turn was over.

    `record` is what a worker has made of one that left members out, `proof` what its check gave. If
    it turns out to be for another task than the model's other versions are for, the version is
    refused after all.
    """
    with database.write() as session:
        version = _held(session, turn)
        if version is None:
            return False
        version.record, version.proof = record or version.record, proof
        task, others = version.record["task"], task_of(session, version.name, besides=version)
        if others is None or others == task:
            _close(session, version, VersionState.READY, None)
        else:
            reason = other_task(version.name, others, task)
            _close(session, version, VersionState.REFUSED, reason)
        return True


def refuse(
    database: Database, turn: Turn, reason: str, proof: dict[str, Any] | None = None
) -> bool:
    """Say that a version does not run, and why; False when the turn was over."""
    with database.write() as session:
        version = _held(session, turn)
        if version is None:
            return False
        version.proof = proof
        _close(session, version, VersionState.REFUSED, reason)
        return True


def postpone(database: Database, turn: Turn, *, counts: bool = False) -> None:
    """End a turn, to be taken again after a pause; as if it had not been taken unless it counts."""
    with database.write() as session:
        version = _held(session, turn)
        if version is not None:
            version.attempt -= 0 if counts else 1
            version.lease_until = session.scalar(select(db_now() + _PAUSE_S))


def _close(
    session: Session, version: ModelVersion, state: VersionState, reason: str | None
) -> None:
    version.state, version.reason, version.lease_until = state, reason, None
    version.check_blob = None
    subject = f"{version.name}@{version.version}"
    if state is VersionState.READY:
        write_entry(session, WORKER, "version.ready", subject)
    else:
        write_entry(session, WORKER, "version.refused", subject, reason=reason)


def _held(session: Session, turn: Turn) -> ModelVersion | None:
    """Lock the version of a turn; None when the turn is over."""
    return session.scalar(
        select(ModelVersion)
        .where(
            ModelVersion.name == turn.version.name,
            ModelVersion.version == turn.version.version,
            ModelVersion.attempt == turn.attempt,
            # The row of one that was refused is written anew by the next.
            ModelVersion.weights == turn.version.weights,
            ModelVersion.state == VersionState.VALIDATING,
        )
        .with_for_update()
    )
