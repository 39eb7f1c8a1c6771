"""Evaluations of jobs that are over: their answers beside the truth, in bounded memory.

    evaluation stored ──► job over ──► claimed by an io worker ──► report
                                           ▲      │
                                           └──────┘ it died, or the store was away

Leased and ended as a comparison is (jobs.aftercare.comparison). How good an answer is is not known
here (models.answers.scores, workers.errands.evaluating). The figures stay until the job is deleted;
the truth, and the names of items without an answer, go with the job's results.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now
from jobs.base.errors import NotFound
from jobs.inputs.truths import read_truths
from jobs.results.rows import read_rows_by_index
from jobs.results.segments import Row
from jobs.tables import Evaluation, Job, ModelVersion
from jobs.versions.registry import read_version

# How long an evaluation waits before it is tried again when the store was away.
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to compute one evaluation."""

    job: Job
    version: ModelVersion
    truth: str | None
    attempt: int


class TurnLost(Exception):
    """Another worker computes the evaluation by now, or it is not wanted any more."""


def has_unevaluated(database: Database) -> bool:
    """Say whether an evaluation waits to be computed; a read that disturbs nobody."""
    with database.read() as session:
        return session.scalar(_waiting()) is not None


def claim_evaluation(ground: Ground) -> Turn | None:
    """Claim the evaluation that has waited for longest; None when none waits."""
    if not has_unevaluated(ground.database):
        return None
    with ground.database.write() as session:
        oldest = _waiting().with_for_update(skip_locked=True, of=Evaluation).scalar_subquery()
        found = session.scalar(
            update(Evaluation)
            .where(Evaluation.job_id == oldest, Evaluation.ended_at.is_(None))
            .values(
                attempt=Evaluation.attempt + 1,
                until=db_now() + ground.settings.lease_s,
            )
            .returning(Evaluation)
        )
        if found is None:
            return None
        version = read_version(session, found.model_name, found.model_version)
        return Turn(session.get_one(Job, found.job_id), version, found.truth, found.attempt)


def answers_and_truths(ground: Ground, turn: Turn) -> Iterator[tuple[Row, str]]:
    """Give each item's row and truth (JSON), by index.

    Renews the turn on the way; raises TurnLost when it is over, BlobMissing when they are gone.
    """
    renew_s = ground.settings.renew_s
    due = time.monotonic() + renew_s
    truths = read_truths(ground.storage, turn.truth or "")
    for pair in zip(read_rows_by_index(ground, turn.job), truths, strict=True):
        yield pair
        if time.monotonic() > due:
            due = time.monotonic() + renew_s
            _renew(ground, turn)


def end_evaluation(
    ground: Ground,
    turn: Turn,
    report: dict[str, Any] | None,
    summary: dict[str, Any] | None = None,
    unanswered: list[Any] | None = None,
    failure: str | None = None,
) -> None:
    """End an evaluation with its report, or with the reason for none; raises TurnLost."""
    values = {"report": report, "summary": summary, "unanswered": unanswered, "failure": failure}
    with ground.database.write() as session:
        ended = update(Evaluation).where(*_held(turn)).values(**values, until=None)
        if session.scalar(ended.values(ended_at=db_now()).returning(Evaluation.job_id)) is None:
            raise TurnLost


def give_back(ground: Ground, turn: Turn) -> None:
    """End a turn as if it had not been taken, to be taken again after a pause."""
    with ground.database.write() as session:
        session.execute(
            update(Evaluation)
            .where(*_held(turn))
            .values(attempt=Evaluation.attempt - 1, until=db_now() + _PAUSE_S)
        )


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


def _waiting() -> Select[str]:
    return (
        select(Evaluation.job_id)
        .join(Job, Job.id == Evaluation.job_id)
        .where(
            Evaluation.ended_at.is_(None),
            Evaluation.until.is_(None) | (Evaluation.until < db_now()),
            Job.ended_at.is_not(None),
        )
        .order_by(Evaluation.job_id)
        .limit(1)
    )


def _held(turn: Turn) -> tuple[Any, ...]:
    return (
        Evaluation.job_id == turn.job.id,
        Evaluation.attempt == turn.attempt,
        Evaluation.ended_at.is_(None),
    )


def _renew(ground: Ground, turn: Turn) -> None:
    with ground.database.write() as session:
        until = db_now() + ground.settings.lease_s
        renewed = update(Evaluation).where(*_held(turn)).values(until=until)
        if session.scalar(renewed.returning(Evaluation.job_id)) is None:
            raise TurnLost
