"""Evaluations of jobs that are over: their answers beside the truth, in bounded memory.

    evaluation stored ──► job over ──► leased by an io worker ──► report
                                           ▲      │
                                           └──────┘ it died, or the store was away

Leased as jobs.leases says. How good an answer is is not known here (models.answers.scores,
workers.errands.evaluating). The figures stay until the job is deleted; the truth, and the names of
items without an answer, go with the job's results.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import NotFound
from jobs.inputs.truths import read_truths
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost
from jobs.leases.renewing import Heart
from jobs.results.rows import read_rows_by_index
from jobs.results.segments import Row
from jobs.tables import Evaluation, Job, ModelVersion
from jobs.versions.registry import read_version

EVALUATIONS = Leased(
    name="evaluation",
    table=Evaluation,
    key=(Evaluation.job_id,),
    fence=Evaluation.fence,
    until=Evaluation.until,
    is_open=Evaluation.ended_at.is_(None),
    due=exists().where(Job.id == Evaluation.job_id, Job.ended_at.is_not(None)),
    order=Evaluation.job_id,
    used_up="The answers could not be evaluated in several tries; the operator's logs say why.",
)


@dataclass(frozen=True, slots=True)
class Evaluating:
    """A lease on an evaluation, and what is needed to compute it."""

    lease: Lease[Evaluation]
    job: Job
    version: ModelVersion


def evaluating(ground: Ground, lease: Lease[Evaluation]) -> Evaluating:
    """Read what is needed to compute an evaluation."""
    row = lease.row
    with ground.database.read() as session:
        version = read_version(session, row.model_name, row.model_version)
        return Evaluating(lease, session.get_one(Job, row.job_id), version)


def answers_and_truths(ground: Ground, at: Evaluating) -> Iterator[tuple[Row, str]]:
    """Give each item's row and truth (JSON), by index.

    Renews the lease on the way; raises LeaseLost when it is over, BlobMissing when they are gone.
    """
    heart = Heart(ground, at.lease)
    truths = read_truths(ground.storage, at.lease.row.truth or "")
    for pair in zip(read_rows_by_index(ground, at.job), truths, strict=True):
        yield pair
        heart.beat()


def end_evaluation(
    ground: Ground,
    lease: Lease[Evaluation],
    report: dict[str, Any] | None,
    summary: dict[str, Any] | None = None,
    unanswered: list[Any] | None = None,
    failure: str | None = None,
) -> None:
    """End an evaluation with its report, or with the reason for none; raises LeaseLost."""
    values = {"report": report, "summary": summary, "unanswered": unanswered, "failure": failure}
    with ground.database.write() as session:
        ended = update(Evaluation).where(lease.is_held).values(**values, until=None)
        if session.scalar(ended.values(ended_at=db_now()).returning(Evaluation.job_id)) is None:
            raise LeaseLost


def get_evaluation(session: Session, job: Job) -> Evaluation:
    """Give the evaluation that a job was made for; raises NotFound where there is none."""
    evaluation = session.get(Evaluation, job.id)
    if evaluation is None:
        raise NotFound(
            f"Job {job.id} has no evaluation: only a job that POST /v1/evaluations made has one."
        )
    return evaluation


def evaluations_of(
    session: Session, tenant_id: str, version: ModelVersion, limit: int
) -> Sequence[tuple[Job, dict[str, Any]]]:
    """Give a tenant's newest evaluations of a version: jobs, and summaries of what came of them.

    Other tenants' are theirs alone, also where the model is shared by all.
    """
    found = session.execute(
        select(Job, Evaluation.summary)
        .join(Evaluation, Evaluation.job_id == Job.id)
        .where(
            Evaluation.tenant_id == tenant_id,
            Evaluation.model_name == version.name,
            Evaluation.model_version == version.version,
            Evaluation.ended_at.is_not(None),
            Evaluation.failure.is_(None),
            Job.deleted_at.is_(None),
        )
        .order_by(Evaluation.job_id.desc())
        .limit(limit)
    )
    return [(job, summary or {}) for job, summary in found]
