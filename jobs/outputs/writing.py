"""Writes a job's results into a bucket: an io worker's work.

    rows ──► part, whole in memory ──► one PUT, or a file renamed ──► … ──► manifest ──► written

The manifest comes last, so whoever sees it sees everything that it lists. A worker that dies leaves
parts without one; the next try makes the same parts and puts them under the same names, so that no
row is there twice. What was allowed is asked again for every part.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from pydantic import BaseModel

from jobs.base.bootstrap import Ground
from jobs.base.states import OutputState
from jobs.base.storage import BlobMissing
from jobs.buckets.errors import BucketError
from jobs.buckets.locations import LocationError
from jobs.buckets.sources import Buckets
from jobs.forms.export import Export, model_of, task_and_labels
from jobs.leases.leases import Lease, LeaseLost, renew
from jobs.leases.renewing import Heart, renewed_aside
from jobs.leases.working import work_on_next
from jobs.outputs.leasing import OUTPUTS, begin, check_wanted, end_try, end_written
from jobs.outputs.parts import parts_of
from jobs.outputs.places import Place, owner_of, place_of
from jobs.results.rows import read_rows
from jobs.results.segments import Row
from jobs.tables import Job, JobOutput

log = structlog.get_logger(__name__)

RESULTS_GONE = "The results were erased before they could be written."

# Gives what a task's contract says of a prediction. What a task is, `models` knows.
PredictionOf = Callable[[str | None], type[BaseModel] | None]


@dataclass(slots=True)
class Written:
    """What was put so far."""

    rows: int = 0
    size: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)


def write_next(ground: Ground, buckets: Buckets, prediction_of: PredictionOf) -> bool:
    """Write the output that has waited for longest; False when none waits.

    Raises StorageError when our own store is away: it is then tried again after a pause.
    """

    def write(lease: Lease[JobOutput]) -> None:
        job = begin(ground, lease)
        bound = log.bind(job=job.id, tenant=job.tenant_id, attempt=lease.attempts)
        try:
            state = _write_or_refuse(ground, buckets, prediction_of, job, lease)
        except (BucketError, LocationError) as err:
            code = err.code if isinstance(err, BucketError) else "unreadable_key"
            is_hopeless = isinstance(err, LocationError)
            state = end_try(ground, lease, code, str(err), is_hopeless=is_hopeless)
            bound.warning("output_not_written", code=code, state=state)
        ground.hints.tell_moved(job.id)
        bound.info("output_ended", state=state)

    return work_on_next(ground, OUTPUTS, write) is not None


def _write_or_refuse(
    ground: Ground,
    buckets: Buckets,
    prediction_of: PredictionOf,
    job: Job,
    lease: Lease[JobOutput],
) -> OutputState:
    if lease.is_used_up(ground.settings):
        return end_try(ground, lease, "output_failed", OUTPUTS.used_up, is_hopeless=True)
    try:
        if job.outputs_erased_at is not None:
            raise BlobMissing(job.id)
        task, labels = task_and_labels(ground, job)
        rows = partial(_rows, ground, job, Heart(ground, lease).beat)
        export = Export(job, task, labels, rows, prediction_of(task))
        _write(ground, buckets, export, lease)
    except BlobMissing:
        return end_try(ground, lease, "results_gone", RESULTS_GONE, is_hopeless=True)
    return OutputState.WRITTEN


def _write(ground: Ground, buckets: Buckets, export: Export, lease: Lease[JobOutput]) -> None:
    job = export.job
    output = dict(job.output or {})
    place, owner, written = place_of(output, job.id), owner_of(job.tenant_id, output), Written()
    outlet = buckets.outlet(owner, place.folder)
    try:
        for part in parts_of(export, output["format"], output.get("compression")):
            buckets.check_outlet(owner, place.folder)
            check_wanted(ground, job.id)
            with renewed_aside(ground, lease):
                etag = outlet.put(place.object(part.name), part.data)
            said = {"name": part.name, "rows": part.rows, "bytes": len(part.data)}
            written.parts.append({**said, "sha256": part.sha256, "etag": etag or None})
            written.rows += part.rows
            written.size += len(part.data)
        buckets.check_outlet(owner, place.folder)
        _check_held(ground, lease)
        with renewed_aside(ground, lease):
            outlet.put(place.manifest, manifest_of(job, output, place, written))
    finally:
        outlet.close()
    manifest = str(place.manifest)
    end_written(ground, lease, rows=written.rows, size=written.size, manifest=manifest)


def manifest_of(job: Job, output: dict[str, Any], place: Place, written: Written) -> bytes:
    """Write what lies in a job's folder, for whoever reads it without asking us."""
    said = {
        "object": "output",
        "version": 1,
        "job_id": job.id,
        "status": job.status,
        "outcome": job.outcome,
        "model": model_of(job),
        "request_counts": job.request_counts,
        "created_at": int(job.created_at),
        "ended_at": int(job.ended_at or 0),
        "folder": place.folder.folder,
        "format": output["format"],
        "compression": output.get("compression"),
        "rows": written.rows,
        "bytes": written.size,
        "parts": written.parts,
    }
    return json.dumps(said, indent=1).encode()


def _rows(ground: Ground, job: Job, beat: Callable[[], None]) -> Iterator[Row]:
    for _, row in read_rows(ground, job):
        beat()
        yield row


def _check_held(ground: Ground, lease: Lease[JobOutput]) -> None:
    """Raise LeaseLost where somebody else writes by now: theirs is the manifest."""
    if not renew(ground, lease):
        raise LeaseLost
