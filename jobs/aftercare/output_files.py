"""The two files of a job that is over, as OpenAI's batches have them: its answers and its errors.

Nothing of them is stored: they are made of the job's results while they are read, and are there
from the job's end until its results are erased. A file without a line is not there. Ids follow from
the job's: `file_X_output` and `file_X_error` of `job_X`; like all ids they sort by time, here that
of the job's submission.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.base.errors import NotFound
from jobs.base.settings import Settings
from jobs.base.states import ItemStatus
from jobs.kinds.table import kind_of, words_of
from jobs.tables import Job

PURPOSE = "batch_output"

_DAY_S = 86_400


class Part(StrEnum):
    """Which of a job's items a file holds: those that succeeded, or all others."""

    OUTPUT = "output"
    ERROR = "error"


@dataclass(frozen=True)
class OutputFile:
    """One of the two files of a job that is over."""

    job: Job
    part: Part

    @property
    def id(self) -> str:
        """Its id, by which it is found again."""
        return f"file_{self.job.id.removeprefix('job_')}_{self.part}"

    @property
    def filename(self) -> str:
        """The name under which it is saved."""
        return f"{self.job.id}_{self.part}.jsonl"

    @property
    def rows(self) -> int:
        """How many lines it has."""
        job = self.job
        if self.part is Part.OUTPUT:
            return job.completed
        return job.failed + job.cancelled + job.expired

    def holds(self, status: ItemStatus) -> bool:
        """Whether an item that ended so is in this file."""
        return (status is ItemStatus.SUCCEEDED) is (self.part is Part.OUTPUT)

    def expires_at(self, settings: Settings) -> float:
        """When the job's results are erased, and the file with them; in seconds since 1970."""
        return results_kept_until(self.job, settings)


def results_kept_until(job: Job, settings: Settings) -> float:
    """Say when the results of a job that is over are erased; in seconds since 1970."""
    lifetime_s = job.output_expires_after
    default_s = settings.output_days * _DAY_S
    return (job.ended_at or 0.0) + (default_s if lifetime_s is None else lifetime_s)


def output_files_of(job: Job) -> dict[Part, OutputFile]:
    """Give the files that a job has at this moment: none, one or both."""
    is_there = (
        job.ended_at is not None
        and job.outputs_erased_at is None
        and job.deleted_at is None
        and kind_of(job).is_listed
    )
    files = [OutputFile(job, part) for part in Part] if is_there else []
    return {file.part: file for file in files if file.rows}


def is_output_file(file_id: str) -> bool:
    """Whether an id is of the form that these files have, and no uploaded one."""
    return file_id.count("_") == 2 and file_id.rpartition("_")[2] in list(Part)


def get_output_file(session: Session, tenant_id: str, file_id: str) -> OutputFile:
    """Give a tenant's file; raises NotFound, also when it is another's or not there yet."""
    job = session.get(Job, _job_id(file_id))
    if job is None or job.tenant_id != tenant_id:
        raise NotFound(f"There is no file {file_id!r}.")
    if job.outputs_erased_at is not None and job.deleted_at is None:
        raise NotFound(f"File {file_id!r} was erased with the results of job {job.id!r}.")
    for file in output_files_of(job).values():
        if file.id == file_id:
            return file
    raise NotFound(f"There is no file {file_id!r}.")


def list_output_files(
    session: Session, tenant_id: str, *, after: str | None, limit: int, oldest_first: bool = False
) -> list[OutputFile]:
    """Give up to `limit` files that come after `after`, newest first or oldest first."""
    query = select(Job).where(
        Job.tenant_id == tenant_id,
        Job.ended_at.is_not(None),
        Job.outputs_erased_at.is_(None),
        Job.deleted_at.is_(None),
        Job.kind.in_(words_of(lambda kind: kind.is_listed)),
        Job.completed + Job.failed + Job.cancelled + Job.expired > 0,
    )
    if after is not None:
        # The job of `after` itself may have one more.
        job_id = _job_id(after)
        query = query.where(Job.id >= job_id if oldest_first else Job.id <= job_id)
    query = query.order_by(Job.id.asc() if oldest_first else Job.id.desc()).limit(limit + 1)
    found = [file for job in session.scalars(query) for file in _in_order(job, oldest_first)]
    if after is not None:
        found = [each for each in found if (each.id > after if oldest_first else each.id < after)]
    return found[:limit]


def _in_order(job: Job, oldest_first: bool) -> Iterator[OutputFile]:
    files = output_files_of(job).values()
    return iter(sorted(files, key=lambda file: file.id, reverse=not oldest_first))


def _job_id(file_id: str) -> str:
    return f"job_{file_id.removeprefix('file_').partition('_')[0]}"
