"""How an uploaded file, or another job's items, become a manifest and shards: an io worker's work.

A job in `validating` is leased like a shard is: claimed with a number, renewed on the way, and
written back only under that number. A worker that dies leaves the job where it was, and the next
begins again under new names. A store that is away costs no try: the turn is given back. What dies
while it reads an archive costs one of a few.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.archives import ReaderLost
from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now, is_outage
from jobs.base.errors import InvalidInput, NotFound
from jobs.base.states import JobKind, JobStatus, check_job_move
from jobs.base.storage import BlobMissing, StorageError, manifest_name, truth_name
from jobs.buckets.errors import BucketError
from jobs.buckets.sources import Buckets
from jobs.inputs.archive_items import IN_PROCESS, Archives
from jobs.inputs.files import get_file
from jobs.inputs.items import Agreed, items_of_file, names_its_items
from jobs.inputs.manifests import Item, Repeats, write_manifest
from jobs.inputs.packs import Pack
from jobs.inputs.skipping import Skips
from jobs.intake.bucket_items import items_of_source
from jobs.intake.children import items_of_parent
from jobs.intake.data_sets import CheckDataset, Readers, chosen_items, most_items, take_all
from jobs.intake.evaluations import LabelItems, label_none
from jobs.intake.trainings import only_shard
from jobs.queue.commits import through_outages
from jobs.queue.completion import close
from jobs.queue.shards import cut_shards, insert_shards
from jobs.tables import Evaluation, Job, ModelVersion

log = structlog.get_logger(__name__)

# Jobs of one tenant that are prepared at a time: half of an io process's threads
# (workers.launcher), so that whoever sends archives that take long never has them all.
_MOST_OF_ONE = 4

# How long a job waits before it is prepared again when the store was away, or a reader died.
_PAUSE_S = 5.0

# Turns after which an archive is to blame for the deaths of the processes that read it. One alone
# may have been ended by whoever stops the machine, or by the kernel for others' memory.
_MOST_READERS = 3


@dataclass(frozen=True, slots=True)
class _Turn:
    """The right to prepare one job."""

    job: Job
    attempt: int
    found: "_Found"


@dataclass(slots=True)
class _Found:
    """What a turn finds out about its input on the way."""

    skips: Skips = field(default_factory=Skips)
    has_metadata: bool = False


@dataclass(frozen=True, slots=True)
class _Written:
    """What came of a turn, in storage."""

    manifest: str
    total: int
    # The manifest, all packs and the truth; those that were not needed do not exist.
    blobs: list[str]
    truth: str | None = None


def _may_pass(cause: BaseException | None) -> bool:
    return isinstance(cause, ReaderLost) or (isinstance(cause, BucketError) and cause.retryable)


class _Lost(Exception):
    """Another worker prepares the job by now, or it has been cancelled."""


def prepare_next(
    ground: Ground,
    check_dataset: CheckDataset = take_all,
    archives: Archives = IN_PROCESS,
    label_items: LabelItems = label_none,
    buckets: Buckets | None = None,
) -> str | None:
    """Prepare the job that has waited for longest; gives its id, None when none waits."""
    turn = _claim(ground)
    if turn is None:
        return None
    job = turn.job
    bound = log.bind(job=job.id, tenant=job.tenant_id)
    try:
        if turn.attempt > ground.settings.max_turns:
            raise InvalidInput(
                "The input could not be read in several tries. Send it again, or in parts.",
                code="preparation_failed",
            )
        readers = Readers(check_dataset, label_items)
        written = _write(ground, turn, readers, archives, buckets)
        shards = _begin_surely(ground, turn, written)
    except (InvalidInput, NotFound) as err:
        if _may_pass(err.__cause__) and turn.attempt < _MOST_READERS:
            _put_off(ground, turn)
            bound.warning("preparation_put_off", reason=err.message)
            return job.id
        _refuse(ground, turn, err)
        bound.info("job_refused", reason=err.message)
    except BlobMissing:
        _refuse(ground, turn, NotFound("The input file was deleted before it could be read."))
        bound.info("job_refused", reason="input file deleted")
    except StorageError:
        _give_back(ground, turn)
        raise
    except _Lost:
        bound.info("preparation_lost")
    else:
        bound.info("job_prepared", items=written.total, shards=shards)
        ground.hints.send(job.pool, shards)
    ground.hints.tell_moved(job.id)
    return job.id


def has_unprepared(database: Database) -> bool:
    """Say whether a job waits to be prepared; a read that disturbs nobody."""
    with database.read() as session:
        return session.scalar(_waiting()) is not None


def _waiting() -> Select[str]:
    # Read once, and not for every job that waits.
    full = (
        select(Job.tenant_id)
        .where(
            Job.status == JobStatus.VALIDATING,
            Job.ended_at.is_(None),
            Job.prepare_until >= db_now(),
        )
        .group_by(Job.tenant_id)
        .having(func.count() >= _MOST_OF_ONE)
    )
    return (
        select(Job.id)
        .where(
            Job.status == JobStatus.VALIDATING,
            Job.ended_at.is_(None),
            Job.prepare_until.is_(None) | (Job.prepare_until < db_now()),
            Job.tenant_id.not_in(full),
        )
        .order_by(Job.id)
        .limit(1)
    )


def _claim(ground: Ground) -> _Turn | None:
    if not has_unprepared(ground.database):
        return None
    with ground.database.write() as session:
        oldest = _waiting().with_for_update(skip_locked=True).scalar_subquery()
        job = session.scalar(
            update(Job)
            .where(Job.id == oldest, Job.status == JobStatus.VALIDATING)
            .values(
                prepare_attempt=Job.prepare_attempt + 1,
                prepare_until=db_now() + ground.settings.lease_s,
            )
            .returning(Job)
        )
        return _Turn(job, job.prepare_attempt, _Found()) if job is not None else None


def _write(
    ground: Ground, turn: _Turn, readers: Readers, archives: Archives, buckets: Buckets | None
) -> _Written:
    job, name = turn.job, manifest_name(turn.job.id)
    truth = truth_name(job.id) if job.kind is JobKind.EVALUATION else None
    settings = ground.settings
    pack, beat = Pack(ground.storage, job.id), _Heart(ground, turn).beat
    try:
        with pack:
            items, repeats = _items_of(ground, turn, pack, beat, archives, buckets)
            items = _renewing(items, turn.found, beat)
            noted = turn.found.skips.note
            with chosen_items(ground, job, items, readers, noted, beat, truth) as chosen:
                total = write_manifest(
                    ground.storage,
                    name,
                    chosen,
                    max_items=most_items(settings, job),
                    max_errors=settings.max_line_errors,
                    repeats=repeats,
                )
    except (InvalidInput, StorageError, _Lost):
        # A tar.gz was unpacked into a blob of its own, which nobody would ask for any more.
        ground.storage.delete([name, *pack.names])
        raise
    return _Written(name, total, [name, *pack.names, *([truth] if truth else [])], truth)


def _items_of(
    ground: Ground,
    turn: _Turn,
    pack: Pack,
    beat: Callable[[], None],
    archives: Archives,
    buckets: Buckets | None,
) -> tuple[Iterator[Item], Repeats]:
    """Give a job's items, and what becomes of names that repeat."""
    job = turn.job
    if job.parent_id is not None:
        return items_of_parent(ground, job, beat), "refused"
    if job.source is not None:
        return items_of_source(ground, buckets, job, turn.found.skips, beat)
    with ground.database.read() as session:
        file = get_file(session, job.tenant_id, job.input_file_id or "")
    agreed = Agreed(**job.requested)
    items = items_of_file(ground, file, pack, agreed, beat, turn.found.skips, archives)
    return items, "refused" if names_its_items(ground, file) else "told_apart"


def _renewing(items: Iterable[Item], found: _Found, beat: Callable[[], None]) -> Iterator[Item]:
    for item in items:
        found.has_metadata = found.has_metadata or item.metadata is not None
        yield item
        beat()


class _Heart:
    """Renews a turn as long as work on it goes on."""

    def __init__(self, ground: Ground, turn: _Turn) -> None:
        self._ground, self._turn = ground, turn
        self._due = time.monotonic() + ground.settings.renew_s

    def beat(self) -> None:
        """Renew if it is time to; raises _Lost when the turn is over."""
        if time.monotonic() < self._due:
            return
        settings = self._ground.settings
        self._due = time.monotonic() + settings.renew_s
        try:
            with self._ground.database.write() as session:
                if not _touch(session, self._turn, settings.lease_s):
                    raise _Lost
        except SQLAlchemyError as err:
            if not is_outage(err):
                raise
            log.warning("turn_not_renewed", job=self._turn.job.id)


def _touch(session: Session, turn: _Turn, lease_s: float) -> Job | None:
    """Renew under the turn's number; None when the turn is over."""
    return session.scalar(
        update(Job)
        .where(
            Job.id == turn.job.id,
            Job.prepare_attempt == turn.attempt,
            Job.status == JobStatus.VALIDATING,
        )
        .values(prepare_until=db_now() + lease_s)
        .returning(Job),
        execution_options={"populate_existing": True},
    )


def _begin_surely(ground: Ground, turn: _Turn, written: _Written) -> int:
    """Set the job to run, waiting out the database; gives its shards' number, raises _Lost."""
    has_begun = through_outages(
        lambda: _begin(ground, turn, written),
        lambda: _manifest_of(ground, turn.job) == written.manifest,
        turn.job.id,
    )
    if has_begun:
        with ground.database.read() as session:
            return session.get_one(Job, turn.job.id).pending_shards
    ground.storage.delete(written.blobs)
    raise _Lost


def _begin(ground: Ground, turn: _Turn, written: _Written) -> bool:
    """Cut the shards and set the job to run; False when the turn is over."""
    with ground.database.write() as session:
        job = _touch(session, turn, ground.settings.lease_s)
        if job is None:
            return False
        shards = _cut(session, job, written.total)
        check_job_move(job.status, JobStatus.IN_PROGRESS)
        job.status = JobStatus.IN_PROGRESS
        job.manifest, job.total = written.manifest, sum(shard["count"] for shard in shards)
        job.skipped = turn.found.skips.to_json()
        job.has_item_metadata = turn.found.has_metadata
        job.in_progress_at = session.scalar(select(db_now()))
        insert_shards(session, job, shards)
        if written.truth is not None:
            of_job = update(Evaluation).where(Evaluation.job_id == job.id)
            session.execute(of_job.values(truth=written.truth))
        return True


def _manifest_of(ground: Ground, job: Job) -> str | None:
    with ground.database.read() as session:
        return session.scalar(select(Job.manifest).where(Job.id == job.id))


def _cut(session: Session, job: Job, total: int) -> list[dict[str, Any]]:
    if job.kind is JobKind.TRAINING:
        return only_shard(job.id)
    version = session.get_one(ModelVersion, (job.model_name, job.model_version))
    return cut_shards(job.id, total, version.record["shard_items"])


def _put_off(ground: Ground, turn: _Turn) -> None:
    """End a turn that counts, to be taken again after a pause."""
    with ground.database.write() as session:
        _touch(session, turn, _PAUSE_S)


def _give_back(ground: Ground, turn: _Turn) -> None:
    """End a turn as if it had not been taken, to be taken again after a pause."""
    with ground.database.write() as session:
        job = _touch(session, turn, _PAUSE_S)
        if job is not None:
            job.prepare_attempt -= 1


def _refuse(ground: Ground, turn: _Turn, err: InvalidInput | NotFound) -> None:
    with ground.database.write() as session:
        job = _touch(session, turn, ground.settings.lease_s)
        if job is None:
            return
        job.skipped = turn.found.skips.to_json()
        if isinstance(err, InvalidInput):
            job.errors = list(err.lines) or [
                {"code": err.reason, "message": err.message, "param": err.param, "line": None}
            ]
        close(session, job, JobStatus.FAILED, err.message)
