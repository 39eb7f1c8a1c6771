"""Outputs that wait to be written, and how a try at one ends.

    job over ──► waiting ──lease──► writing ──► written ──► job.output_written
                    ▲                  │
                    └── failed, pause ─┴── no try left ──► failed ──► job.output_failed

Leased as jobs.leases says. The pauses between tries grow (`PIXELMILL_OUTPUT_DELAYS_S`): a bucket
may be away for hours, and rights be given late. Those of one tenant are written one after the
other, so that a slow store keeps nobody else waiting.
"""

from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.states import OutputState
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost, locked
from jobs.outputs.telling import output_of
from jobs.queue.webhooks import OUTPUT_FAILED, OUTPUT_WRITTEN, record_output
from jobs.tables import Job, JobOutput


def _is_tenants_only() -> ColumnElement[bool]:
    """Whether no other output of the same tenant is being written: its store may take long."""
    writing = select(JobOutput.tenant_id).where(
        JobOutput.state == OutputState.WRITING, JobOutput.until > db_now()
    )
    return JobOutput.tenant_id.not_in(writing)


OUTPUTS = Leased(
    name="output",
    table=JobOutput,
    key=(JobOutput.job_id,),
    fence=JobOutput.fence,
    until=JobOutput.until,
    is_open=JobOutput.state.in_((OutputState.WAITING, OutputState.WRITING)),
    due=_is_tenants_only(),
    order=JobOutput.until,
    max_attempts=lambda settings: len(settings.output_delays_s) + 1,
    used_up="The results could not be written in several tries; the operator's logs say why.",
)


def begin(ground: Ground, lease: Lease[JobOutput]) -> Job:
    """Say that an output is being written, and give its job; raises LeaseLost."""
    with ground.database.write() as session:
        job = session.get_one(Job, lease.row.job_id)
        moved = update(JobOutput).where(lease.is_held).values(state=OutputState.WRITING)
        if job.deleted_at is not None or session.scalar(moved.returning(JobOutput.job_id)) is None:
            raise LeaseLost
        return job


def check_wanted(ground: Ground, job_id: str) -> None:
    """Raise LeaseLost for a job that was deleted while its output is written."""
    with ground.database.read() as session:
        _wanted(session, job_id)


def _wanted(session: Session, job_id: str) -> Job:
    job = session.get_one(Job, job_id)
    if job.deleted_at is not None:
        raise LeaseLost
    return job


def end_written(
    ground: Ground, lease: Lease[JobOutput], *, rows: int, size: int, manifest: str
) -> None:
    """Say that everything is there, the manifest too; raises LeaseLost."""
    said = {"rows": rows, "bytes": size, "manifest": manifest}
    with ground.database.write() as session:
        _end(session, lease, OutputState.WRITTEN, OUTPUT_WRITTEN, **said)


def end_try(
    ground: Ground, lease: Lease[JobOutput], code: str, message: str, *, is_hopeless: bool = False
) -> OutputState:
    """Say why a try failed: the next one is due after a pause, if there is one.

    Gives the state that the output is in then; raises LeaseLost.
    """
    why = {"error_code": code, "error_message": message}
    with ground.database.write() as session:
        if is_hopeless or lease.is_last(ground.settings):
            _end(session, lease, OutputState.FAILED, OUTPUT_FAILED, **why)
            return OutputState.FAILED
        pause_s = ground.settings.output_delays_s[lease.attempts - 1]
        again = {"state": OutputState.WAITING, "until": db_now() + pause_s, **why}
        moved = update(JobOutput).where(lease.is_held).values(again).returning(JobOutput.job_id)
        if session.scalar(moved) is None:
            raise LeaseLost
        return OutputState.WAITING


def _end(
    session: Session, lease: Lease[JobOutput], state: OutputState, event: str, **said: Any
) -> None:
    row = locked(session, lease)
    if row is None:
        raise LeaseLost
    job = _wanted(session, row.job_id)
    now = session.scalar(select(db_now())) or 0.0
    values = {"error_code": None, "error_message": None, **said}
    for name, value in {"state": state, "ended_at": now, "until": now, **values}.items():
        setattr(row, name, value)
    record_output(session, job, event, output_of(job, row) or {}, now)
