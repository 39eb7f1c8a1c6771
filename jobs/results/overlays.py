"""Overlays: results drawn over their images or videos' frames, for jobs that want them.

A worker draws them while it runs a shard (`workers.engine.overlays`) and writes them end to end
into one blob for each segment, whose rows say where each lies. They are results: they come and
go with these, also where a job asks for its inputs to be erased.
"""

from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.base.errors import BytesMissing, Conflict, NotFound
from jobs.base.states import ItemStatus, ShardState
from jobs.base.storage import BlobMissing, Storage, earlier_overlays_name, overlays_name
from jobs.results.segments import read_segment
from jobs.tables import Job, Shard


def read_overlay(ground: Ground, job: Job, index: int) -> bytes:
    """Give an item's overlay, a JPEG file.

    Raises NotFound when it has none, and Conflict when it has not run yet.
    """
    if not job.overlays:
        raise NotFound(f"Job {job.id} has no overlays: submit it with `overlays` set to true.")
    segment = _segment_of(ground, job, index)
    try:
        row = next(row for row in read_segment(ground.storage, segment) if row.index == index)
        if row.overlay is None:
            why = "is not drawn" if row.status is ItemStatus.SUCCEEDED else f"is {row.status}"
            raise NotFound(f"Item {index} of job {job.id} {why}: there is no overlay of it.")
        return _read_part(ground.storage, segment, *row.overlay)
    except BlobMissing as err:
        if job.outputs_erased_at is None:
            raise BytesMissing(f"The overlays of job {job.id}") from err
        raise NotFound(f"The overlays of job {job.id} were erased with its results.") from err


def _read_part(storage: Storage, segment: str, offset: int, length: int) -> bytes:
    try:
        (part,) = storage.ranges(overlays_name(segment), [offset], [length])
    except BlobMissing:
        (part,) = storage.ranges(earlier_overlays_name(segment), [offset], [length])
    return bytes(part)


def _segment_of(ground: Ground, job: Job, index: int) -> str:
    with ground.database.read() as session:
        found = session.execute(
            select(Shard.segment).where(
                Shard.job_id == job.id,
                Shard.state.in_((ShardState.DONE, ShardState.CANCELLED)),
                Shard.first <= index,
                Shard.first + Shard.count > index,
            )
        ).one_or_none()
    if found is not None and found.segment is not None:
        return str(found.segment)
    if found is not None:
        raise NotFound(f"Item {index} of job {job.id} never ran: there is no overlay of it.")
    if job.manifest is not None and index >= job.total:
        raise NotFound(f"Job {job.id} has no item {index}: it has {job.total}, counted from 0.")
    raise Conflict(f"Item {index} of job {job.id} has not run yet: look again when it has.")
