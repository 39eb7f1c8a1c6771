"""What callers get to see of a job. Times are whole seconds since 1970 (UTC)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.current import link
from api.web.openapi import LineFault
from api.web.views import Page
from jobs.aftercare.output_files import Part, output_files_of
from jobs.base.states import JobKind, JobStatus, Outcome, OutputState
from jobs.inputs.skipping import NOTHING
from jobs.queue.forecast import Forecast
from jobs.tables import Job
from jobs.versions.names import shown_name

Kind = Literal["job", "batch"]


class ModelRef(BaseModel):
    """The version that a job runs, pinned when it was submitted."""

    name: str
    version: int
    digest: str


class Counts(BaseModel):
    """A job's items by what became of them; `total` is the sum of the others."""

    total: int
    completed: int
    failed: int
    processing: int
    cancelled: int
    expired: int


class Queue(BaseModel):
    """Where the job stands; null where that cannot be said."""

    position: int | None = Field(description="Jobs that would be served before this one.")
    eta_seconds: int | None = Field(
        description="From throughput: its own, else that of jobs like it."
    )


class JobErrors(BaseModel):
    """Why an input was refused."""

    object: Literal["list"] = "list"
    data: list[LineFault]


class SkippedFile(BaseModel):
    """A file of the input that became no item, and why, in one word."""

    name: str
    reason: str


class Skipped(BaseModel):
    """The files of the input that became no item: symlinks, system files, plain text and such."""

    count: int
    by_reason: dict[str, int] = Field(description="How many for each reason.")
    names: list[SkippedFile] = Field(description="The first 100 of them.")


class WebhookView(BaseModel):
    """Whom the job calls; never the secret."""

    url: str
    events: list[str]


class SourceView(BaseModel):
    """Where in a bucket the items lie; never how it is opened."""

    prefix: str | None = None
    manifest: str | None = None
    archive: str | None = None
    include: list[str] | None = None
    exclude: list[str] | None = None
    connection: str | None = Field(None, description="The id of the connection, if there is one.")


class OutputFault(BaseModel):
    """Why the last try to write the results failed."""

    code: str
    message: str


class OutputView(BaseModel):
    """Results on their way into a bucket; `rows`, `bytes` and `manifest` once they are written."""

    url: str
    format: str
    compression: str | None
    connection: str | None = Field(description="The id of the connection, if there is one.")
    status: OutputState = Field(
        description="`waiting` until the job is over, and between tries; `manifest` is written "
        "last, so whoever sees it sees everything."
    )
    error: OutputFault | None
    attempts: int
    rows: int | None
    bytes: int | None
    manifest: str | None = Field(description="The address of the list of parts.")


class JobView(BaseModel):
    """A job at the moment of the answer."""

    id: str
    object: Kind
    tenant: str | None = Field(
        None, description="Its name, in lists of other tenants' jobs for operators."
    )
    kind: JobKind = Field(
        description="`rerun` and `retry` run the items of `parent_id` again; what came of an "
        "`evaluation` is at …/evaluation."
    )
    parent_id: str | None
    endpoint: str
    status: JobStatus
    outcome: Outcome | None
    status_reason: str | None
    errors: JobErrors | None
    model: ModelRef | str = Field(
        description="Of a batch the text `name@version`, as OpenAI's clients read it."
    )
    params: dict[str, Any]
    priority: str
    request_counts: Counts
    skipped: Skipped
    queue: Queue
    created_at: int
    in_progress_at: int | None
    last_progress_at: int | None
    finalizing_at: None
    completed_at: int | None
    failed_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    expired_at: int | None
    expires_at: int
    completion_window: str | None
    output_expires_after: int | None
    delete_inputs: bool
    overlays: bool
    gallery: bool
    input_file_id: str | None = Field(
        description="Of a batch without one it is empty: OpenAI's clients have a text here."
    )
    source: SourceView | None = Field(description="Of a job whose items lie in a bucket.")
    output: OutputView | None = Field(description="Of a job that writes its results to a bucket.")
    watch_id: str | None = Field(description="The watch that found the items in the bucket.")
    output_file_id: str | None = Field(
        description="The answered items of a job that is over, in the form of OpenAI's Batch API."
    )
    error_file_id: str | None = Field(description="All its other items; null where none is.")
    metadata: dict[str, str]
    webhook: WebhookView | None
    results_url: str


class JobList(Page[JobView]):
    """Jobs, newest first."""


class JobDeleted(BaseModel):
    """A receipt: nobody sees the job any more, and what it held is erased or about to be."""

    id: str
    object: Kind
    deleted: Literal[True] = True
    deleted_at: int
    erased_at: int | None = Field(description="Null while something is still to be erased.")


class DryRun(BaseModel):
    """What a submission would have run; nothing was stored."""

    object: Literal["dry_run"] = "dry_run"
    model: ModelRef
    params: dict[str, Any]
    total: int | None = Field(
        description="Items; null where an uploaded file is to be walked, or a bucket takes longer "
        "to list than a caller can wait."
    )
    skipped: Skipped | None = Field(description="Null where `total` is.")
    device_seconds: float | None = Field(
        description="What it would take of the device, by your last jobs of this version; null "
        "without any, or without a `total`."
    )
    eta_seconds: int | None = Field(
        description="When it would be over if it were submitted now, waiting included."
    )


def job_view(
    job: Job, kind: Kind, ahead: Forecast, output: Mapping[str, Any] | None = None
) -> JobView:
    """Show a job; `output` is as jobs.outputs.telling reads it."""
    eta = ahead.eta_s
    files = {part: file.id for part, file in output_files_of(job).items()}
    return JobView(
        id=job.id,
        object=kind,
        kind=job.kind,
        parent_id=job.parent_id,
        endpoint="/v1/predictions",
        status=job.status,
        outcome=job.outcome,
        status_reason=job.status_reason,
        errors=JobErrors(data=job.errors) if job.errors else None,
        model=_model_of(job, kind),
        params=job.params,
        priority=job.priority,
        request_counts=Counts(**job.request_counts),
        skipped=skipped_view(job),
        queue=Queue(position=ahead.position, eta_seconds=None if eta is None else round(eta)),
        completion_window=_window_of(job, kind),
        output_expires_after=job.output_expires_after,
        delete_inputs=job.delete_inputs,
        overlays=job.overlays,
        gallery=job.gallery,
        input_file_id=job.input_file_id or ("" if kind == "batch" else None),
        source=SourceView(**job.source) if job.source else None,
        output=OutputView(**output) if output else None,
        watch_id=job.watch_id,
        output_file_id=files.get(Part.OUTPUT),
        error_file_id=files.get(Part.ERROR),
        metadata=job.metadata_,
        webhook=WebhookView(**job.webhook) if job.webhook else None,
        results_url=link(f"/v1/jobs/{job.id}/results"),
        **times_of(job),
    )


def _model_of(job: Job, kind: Kind) -> ModelRef | str:
    name = shown_name(job.model_name)
    if kind == "batch":
        return f"{name}@{job.model_version}"
    return ModelRef(name=name, version=job.model_version, digest=job.model_digest)


def _window_of(job: Job, kind: Kind) -> str | None:
    """Give the time that the job has; OpenAI's clients have it for every batch."""
    if job.completion_window is None and kind == "batch":
        return f"{round(job.expires_at - job.created_at)}s"
    return job.completion_window


def skipped_view(job: Job) -> Skipped:
    """Show which files of a job's input became no item."""
    return Skipped(**(job.skipped or NOTHING))


def job_deleted(job: Job, kind: Kind) -> dict[str, Any]:
    """Show the receipt of a deleted job."""
    return JobDeleted(
        id=job.id,
        object=kind,
        deleted_at=int(job.deleted_at or 0),
        erased_at=_whole(job.outputs_erased_at),
    ).model_dump(mode="json")


def times_of(job: Job) -> dict[str, Any]:
    """Give the members of a view that are times."""
    ended = _whole(job.ended_at)
    endings = ("completed", "failed", "cancelled", "expired")
    was_cancelled = job.status in (JobStatus.CANCELLING, JobStatus.CANCELLED)
    return {
        "created_at": int(job.created_at),
        "in_progress_at": _whole(job.in_progress_at),
        "last_progress_at": _whole(job.last_progress_at),
        "finalizing_at": None,
        "cancelling_at": _whole(job.cancelling_at) if was_cancelled else None,
        "expires_at": int(job.expires_at),
        **{f"{word}_at": ended if job.status == word else None for word in endings},
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
