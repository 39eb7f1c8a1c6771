"""Finds blobs that no row names and deletes them.

Blobs are written before the transaction that names them, so whoever dies in between leaves one:

    a worker       a segment       looked for when its job is over (`Job.tidy_at`)
    a worker       a checkpoint    the same
    an io worker   a manifest, a truth, or the changes of a comparison: the same
    an io worker   what a watch has seen, a manifest of a job that was to come of it: once a day
    the API        a whole folder, a file, weights or a check: looked for once a day
    the API        a part of an upload that resumes: with the upload, or once a day
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import structlog
from sqlalchemy import func, select, update

from jobs.aftercare.comparison import COMPARISONS
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.ids import made_at
from jobs.base.storage import (
    BlobMissing,
    StorageError,
    earlier_overlays_name,
    overlays_name,
    thumbnails_name,
)
from jobs.inputs.manifests import Manifest
from jobs.leases.leases import is_taken
from jobs.queue.completion import TIDY_AFTER_S
from jobs.results.opened import is_made_now, opened_blobs
from jobs.tables import (
    Comparison,
    Evaluation,
    File,
    Job,
    ModelVersion,
    Shard,
    Tenant,
    Upload,
    Watch,
)
from jobs.uploads.uploads import UNFINISHED

log = structlog.get_logger(__name__)

_AT_ONCE = 20
_NAMES_AT_ONCE = 1000
_MARKS = "installations/"
_WEIGHTS, _CHECK = ".safetensors", ".json"
# What is younger may be a submission or an upload that is still going on.
_DAY_S = 86_400


def tidy_due(ground: Ground) -> int:
    """Delete what is left over from jobs that are over; gives the number of blobs."""
    with ground.database.read() as session:
        due = select(Job).where(Job.tidy_at < db_now()).order_by(Job.tidy_at).limit(_AT_ONCE)
        jobs = session.scalars(due).all()
    return sum(_tidy(ground, job) for job in jobs)


def delete_strays(ground: Ground, older_than_s: float = _DAY_S) -> int:
    """Delete the blobs of jobs and files that never came to exist; gives their number.

    Nothing is deleted from a store that another installation uses too: what has no row here may
    have one there.
    """
    if not _is_ours_alone(ground):
        return 0
    latest = ground.database.now() - older_than_s
    count = 0
    for prefix, known in (
        ("jobs/", _known_jobs),
        ("inputs/", _known_inputs),
        ("models/", _known_versions),
        ("watches/", _known_seen),
    ):
        for names in _batches(ground.storage.list(prefix), _NAMES_AT_ONCE):
            owners = {name: owner for name in names if (owner := _owner(name, latest))}
            exist = known(ground, set(owners.values()))
            strays = [name for name, owner in owners.items() if owner not in exist]
            ground.storage.delete(strays)
            count += len(strays)
        count += ground.storage.delete_staged(prefix, older_than_s)
    if count:
        log.info("strays_deleted", blobs=count)
    return count


def _is_ours_alone(ground: Ground) -> bool:
    """Mark the store with this installation's id, and say whether no other has marked it."""
    with ground.database.read() as session:
        ours = session.scalar(select(func.min(Tenant.id)))
    if ours is None:
        return False
    marks = {name.removeprefix(_MARKS) for name in ground.storage.list(_MARKS)}
    if ours not in marks:
        ground.storage.put(_MARKS + ours, [b"An installation of Pixelmill keeps its blobs here.\n"])
    if marks - {ours}:
        log.error("store_is_shared", installations=sorted(marks | {ours}))
    return not marks - {ours}


def _tidy(ground: Ground, job: Job) -> int:
    prefix = f"jobs/{job.id}/"
    try:
        blobs = list(ground.storage.list(prefix))
        if is_taken(ground.database, COMPARISONS, (job.id,)) or is_made_now(ground, job):
            # What is being written at this moment has no name yet.
            _due_again(ground, job, db_now() + TIDY_AFTER_S)
            return 0
        # Asked last: what was listed may have got its name meanwhile.
        named = _named(ground, job)
        found = [name for name in blobs if name not in named]
        ground.storage.delete(found)
        ground.storage.delete_staged(prefix, TIDY_AFTER_S)
    except (StorageError, pa.ArrowException) as err:
        # It is due again later, and the others are not kept waiting.
        log.warning("tidying_failed", job=job.id, error=str(err))
        _due_again(ground, job, db_now() + TIDY_AFTER_S)
        return 0
    _due_again(ground, job, None)
    log.info("job_tidied", job=job.id, blobs=len(found))
    return len(found)


def _due_again(ground: Ground, job: Job, tidy_at: Any) -> None:
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(tidy_at=tidy_at))


def _named(ground: Ground, job: Job) -> set[str]:
    """Give every blob that belongs to a job: its manifest, what that points at, its results."""
    results = _results_of(ground, job)
    if job.manifest is None:
        return results
    try:
        items = Manifest(ground.storage, job.manifest).blobs()
    except BlobMissing:
        return results
    if job.inputs_erased_at is not None:
        # Copies of what is gone.
        items = {name for name in items if "/pack-" not in name}
    return results | {job.manifest} | items


def _results_of(ground: Ground, job: Job) -> set[str]:
    """Give a job's segments, their pictures, the changes of its comparison, and its truth."""
    with ground.database.read() as session:
        found = select(Shard.segment).where(Shard.job_id == job.id, Shard.segment.is_not(None))
        segments = {segment for segment in session.scalars(found) if segment is not None}
        comparison = session.get(Comparison, job.id)
        evaluation = session.get(Evaluation, job.id)
        opened = opened_blobs(session, job)
    names = (overlays_name, earlier_overlays_name) if job.overlays else ()
    overlays = {name(segment) for segment in segments for name in names}
    # Copies of inputs, which go when these are erased.
    thumbnails = set[str]()
    if job.inputs_erased_at is None:
        beside = {thumbnails_name(segment) for segment in segments if job.gallery}
        thumbnails = beside | opened
    changes = {comparison.changes} if comparison and comparison.changes else set()
    truth = {evaluation.truth} if evaluation and evaluation.truth else set()
    return segments | overlays | thumbnails | changes | truth


def _owner(name: str, latest: float) -> str | None:
    """Give the id in a blob's name if it is older than `latest`; what has none is not ours."""
    parts = name.split("/")
    owner = parts[-1].partition(".")[0]
    if parts[0] == "jobs":
        owner = parts[1]
    elif parts[:2] == ["inputs", "parts"]:
        owner = parts[2]
    made = made_at(owner)
    return owner if made is not None and made < latest else None


def _known_jobs(ground: Ground, ids: Collection[str]) -> set[str]:
    with ground.database.read() as session:
        return set(session.scalars(select(Job.id).where(Job.id.in_(ids))))


def _known_inputs(ground: Ground, ids: Collection[str]) -> set[str]:
    """Give the ids of files, and of uploads whose parts are still needed."""
    files = select(File.id).where(File.id.in_(ids))
    uploads = select(Upload.id).where(Upload.id.in_(ids), Upload.state.in_(UNFINISHED))
    with ground.database.read() as session:
        return {*session.scalars(files), *session.scalars(uploads)}


def _known_seen(ground: Ground, ids: Collection[str]) -> set[str]:
    names = {f"watches/{each}.parquet": each for each in ids}
    with ground.database.read() as session:
        found = session.scalars(select(Watch.seen).where(Watch.seen.in_(names)))
        return {names[name] for name in found if name is not None}


def _known_versions(ground: Ground, ids: Collection[str]) -> set[str]:
    """Give the ids of weights, and of checks that are still to be made."""
    known = set[str]()
    with ground.database.read() as session:
        for column, suffix in ((ModelVersion.weights, _WEIGHTS), (ModelVersion.check_blob, _CHECK)):
            names = {f"models/{each}{suffix}": each for each in ids}
            known |= {
                names[name]
                for name in session.scalars(select(column).where(column.in_(names)))
                if name
            }
    return known


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    names = iter(names)
    while batch := list(islice(names, size)):
        yield batch
