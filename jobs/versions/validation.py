"""How a version that came over HTTP is tried out: the work of an inference worker.

The API looks at the header of the weights and at the record; whether the network can be built of
them, and runs, can only be seen where torch is. A version in `validating` is leased (jobs.leases):
a worker that dies leaves it where it was; one that kills several workers is refused.
"""

from typing import Any

from sqlalchemy import true
from sqlalchemy.orm import Session

from jobs.base.database import Database
from jobs.base.states import VersionState
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, locked
from jobs.tables import ModelVersion
from jobs.tenants.audit import WORKER, write_entry
from jobs.versions.registry import other_task, task_of

# Loading a network of gigabytes takes longer than a shard may go without a renewal.
_TURN_LEASES = 4

VALIDATIONS = Leased(
    name="validation",
    table=ModelVersion,
    # The row of a version that was refused is written anew by the next of its number.
    key=(ModelVersion.name, ModelVersion.version, ModelVersion.weights),
    fence=ModelVersion.fence,
    until=ModelVersion.lease_until,
    is_open=ModelVersion.state == VersionState.VALIDATING,
    due=true(),
    order=ModelVersion.created_at,
    lease_s=lambda settings: settings.lease_s * _TURN_LEASES,
    used_up="A worker process ended each time it was tried out.",
)


def accept(
    database: Database,
    lease: Lease[ModelVersion],
    record: dict[str, Any] | None = None,
    proof: dict[str, Any] | None = None,
) -> bool:
    """Say that a version runs; False when it is not ready all the same.

    `record` is what a worker has made of one that left members out, `proof` what its check gave.
    The lease may have been lost; and if it turns out to be for another task than the model's other
    versions are for, the version is refused after all.
    """
    with database.write() as session:
        version = locked(session, lease)
        if version is None:
            return False
        version.record, version.proof = record or version.record, proof
        task, others = version.task, task_of(session, version.name, besides=version)
        if others is None or others == task:
            _close(session, version, VersionState.READY, None)
            return True
        reason = other_task(version.name, others, task)
        _close(session, version, VersionState.REFUSED, reason)
        return False


def refuse(
    database: Database, lease: Lease[ModelVersion], reason: str, proof: dict[str, Any] | None = None
) -> bool:
    """Say that a version does not run, and why; False when the lease was lost."""
    with database.write() as session:
        version = locked(session, lease)
        if version is None:
            return False
        version.proof = proof
        _close(session, version, VersionState.REFUSED, reason)
        return True


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
