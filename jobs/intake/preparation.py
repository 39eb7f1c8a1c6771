"""How an uploaded file, or another job's items, become a manifest and shards: an io worker's work.

A job in `validating` is leased (jobs.leases). A worker that dies leaves the job where it was, and
the next begins again under new names. A store that is away costs no try: the lease is handed back.
What dies while it reads an archive costs one of a few.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import structlog
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from jobs.archives import ReaderLost
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import InvalidInput, NotFound
from jobs.base.states import JobStatus, check_job_move
from jobs.base.storage import BlobMissing, StorageError, manifest_name
from jobs.base.traces.spans import Said
from jobs.buckets.errors import BucketError
from jobs.buckets.sources import Buckets
from jobs.events.numbering import Moment, number_events
from jobs.inputs.archive_items import IN_PROCESS, Archives, Walk
from jobs.inputs.files import get_file
from jobs.inputs.items import items_of_file, names_its_items
from jobs.inputs.manifests import Item, Repeats, write_manifest
from jobs.inputs.packs import Pack
from jobs.inputs.skipping import Skips
from jobs.intake.bucket_items import items_of_source
from jobs.intake.children import items_of_parent
from jobs.kinds.evaluation import label_none
from jobs.kinds.kind import CheckDataset, LabelItems, Listing, Readers
from jobs.kinds.table import kind_of
from jobs.kinds.training import take_all
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost, fail, locked
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.queue.commits import through_outages
from jobs.queue.completion import close
from jobs.queue.shards import insert_shards
from jobs.tables import Job, ModelVersion, Requested

log = structlog.get_logger(__name__)

# Jobs of one tenant that are prepared at a time: half of an io process's threads
# (workers.launcher), so that whoever sends archives that take long never has them all.
_MOST_OF_ONE = 4

# Tries after which an archive is to blame for the deaths of the processes that read it. One alone
# may have been ended by whoever stops the machine, or by the kernel for others' memory.
_MOST_READERS = 3


def _has_room() -> ColumnElement[bool]:
    """Whether a job's tenant has not as many in preparation as one may have at a time."""
    # Read once, and not for every job that waits.
    full = (
        select(Job.tenant_id)
        .where(
            Job.status == JobStatus.VALIDATING,
            Job.ended_at.is_(None),
            Job.prepare_until > db_now(),
        )
        .group_by(Job.tenant_id)
        .having(func.count() >= _MOST_OF_ONE)
    )
    return Job.tenant_id.not_in(full)


PREPARATIONS = Leased(
    name="preparation",
    table=Job,
    key=(Job.id,),
    fence=Job.prepare_fence,
    until=Job.prepare_until,
    is_open=(Job.status == JobStatus.VALIDATING) & Job.ended_at.is_(None),
    due=_has_room(),
    order=Job.id,
    used_up="The input could not be read in several tries. Send it again, or in parts.",
)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A lease on the preparation of a job, and what it finds out."""

    lease: Lease[Job]
    found: "_Found"

    @property
    def job(self) -> Job:
        """The job, as it was leased."""
        return self.lease.row


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
    # The manifest, all packs and what is beside it; those that were not needed do not exist.
    blobs: list[str]
    beside: str | None = None


def _may_pass(cause: BaseException | None) -> bool:
    return isinstance(cause, ReaderLost) or (isinstance(cause, BucketError) and cause.retryable)


def prepare_next(
    ground: Ground,
    check_dataset: CheckDataset = take_all,
    archives: Archives = IN_PROCESS,
    label_items: LabelItems = label_none,
    buckets: Buckets | None = None,
) -> str | None:
    """Prepare the job that has waited for longest; gives its id, None when none waits."""

    def prepare(lease: Lease[Job]) -> None:
        said: Said = {"pixelmill.job": lease.row.id, "pixelmill.attempt": lease.attempts}
        with ground.traces.begin("prepare", lease.row.traceparent, said):
            _prepare(ground, lease, Readers(check_dataset, label_items), archives, buckets)

    lease = work_on_next(ground, PREPARATIONS, prepare)
    if lease is None:
        return None
    ground.hints.tell_moved(lease.row.id)
    return lease.row.id


def _prepare(
    ground: Ground,
    lease: Lease[Job],
    readers: Readers,
    archives: Archives,
    buckets: Buckets | None,
) -> None:
    turn, job = _Turn(lease, _Found()), lease.row
    bound = log.bind(job=job.id, tenant=job.tenant_id)
    try:
        if lease.is_used_up(ground.settings):
            raise InvalidInput(lease.of.used_up, code="preparation_failed")
        written = _write(ground, turn, readers, archives, buckets)
        shards = _begin_through_outages(ground, turn, written)
    except (InvalidInput, NotFound) as err:
        if _may_pass(err.__cause__) and lease.attempts < _MOST_READERS:
            _put_off(ground, lease, err.message)
            bound.warning("preparation_put_off", reason=err.message)
            return
        _refuse(ground, turn, err)
        bound.info("job_refused", reason=err.message)
    except BlobMissing:
        _refuse(ground, turn, NotFound("The input file was deleted before it could be read."))
        bound.info("job_refused", reason="input file deleted")
    else:
        bound.info("job_prepared", items=written.total, shards=shards)
        ground.hints.send(job.pool, shards)


def _write(
    ground: Ground, turn: _Turn, readers: Readers, archives: Archives, buckets: Buckets | None
) -> _Written:
    job, name = turn.job, manifest_name(turn.job.id)
    kind, settings = kind_of(job), ground.settings
    beside = kind.beside(job)
    pack, beat = Pack(ground.storage, job.id), Heart(ground, turn.lease).beat
    try:
        with pack:
            items, repeats = _items_of(ground, turn, pack, beat, archives, buckets)
            items = _renewing(items, turn.found, beat)
            listing = Listing(ground, job, items, turn.found.skips.note, beat, readers, beside)
            with kind.chosen(listing) as chosen:
                total = write_manifest(
                    ground.storage,
                    name,
                    chosen,
                    max_items=kind.most_items(settings),
                    max_errors=settings.max_line_errors,
                    repeats=repeats,
                    in_archives_of_buckets="archive" in (job.source or {}),
                )
    except (InvalidInput, StorageError, LeaseLost):
        # A tar.gz was unpacked into a blob of its own, which nobody would ask for any more.
        ground.storage.delete([name, *pack.names])
        raise
    return _Written(name, total, [name, *pack.names, *([beside] if beside else [])], beside)


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
        walk = Walk(ground, pack, turn.found.skips, beat, archives)
        return items_of_source(buckets, job, walk)
    with ground.database.read() as session:
        file = get_file(session, job.tenant_id, job.input_file_id or "")
    requested = Requested.read(job.requested)
    items = items_of_file(ground, file, pack, requested, beat, turn.found.skips, archives)
    return items, "refused" if names_its_items(ground, file) else "told_apart"


def _renewing(items: Iterable[Item], found: _Found, beat: Callable[[], None]) -> Iterator[Item]:
    for item in items:
        found.has_metadata = found.has_metadata or item.metadata is not None
        yield item
        beat()


def _begin_through_outages(ground: Ground, turn: _Turn, written: _Written) -> int:
    """Set the job to run, waiting out the database; gives its shards' number, raises LeaseLost."""
    has_begun = through_outages(
        lambda: _begin(ground, turn, written),
        lambda: _manifest_of(ground, turn.job) == written.manifest,
        turn.job.id,
    )
    if has_begun:
        with ground.database.read() as session:
            return session.get_one(Job, turn.job.id).pending_shards
    ground.storage.delete(written.blobs)
    raise LeaseLost


def _begin(ground: Ground, turn: _Turn, written: _Written) -> bool:
    """Cut the shards and set the job to run; False when the lease was lost."""
    with ground.database.write() as session:
        job = locked(session, turn.lease)
        if job is None:
            return False
        shards = kind_of(job).cut(job, written.total, _preferred(session, job))
        check_job_move(job.status, JobStatus.IN_PROGRESS)
        job.status = JobStatus.IN_PROGRESS
        job.manifest, job.total = written.manifest, sum(shard["count"] for shard in shards)
        job.status_reason, job.skipped = None, turn.found.skips.to_json()
        job.has_item_metadata = turn.found.has_metadata
        job.in_progress_at = session.scalar(select(db_now()))
        number_events(session, job, Moment.BEGUN)
        insert_shards(session, job, shards)
        kind_of(job).begin(session, job, written.beside)
        return True


def _manifest_of(ground: Ground, job: Job) -> str | None:
    with ground.database.read() as session:
        return session.scalar(select(Job.manifest).where(Job.id == job.id))


def _preferred(session: Session, job: Job) -> int:
    """Give the number of items that a job's version does best with in a shard."""
    version = session.get(ModelVersion, (job.model_name, job.model_version))
    return 1 if version is None else version.shard_items


def _put_off(ground: Ground, lease: Lease[Job], reason: str) -> None:
    """Have the job prepared again after a pause, and say meanwhile what it waits for."""
    with ground.database.write() as session:
        said = update(Job).where(lease.is_held)
        session.execute(said.values(status_reason=f"{reason} Its items are listed again soon."))
    fail(ground, lease)


def _refuse(ground: Ground, turn: _Turn, err: InvalidInput | NotFound) -> None:
    with ground.database.write() as session:
        job = locked(session, turn.lease)
        if job is None:
            return
        job.skipped = turn.found.skips.to_json()
        if isinstance(err, InvalidInput):
            job.errors = list(err.lines) or [
                {"code": err.reason, "message": err.message, "param": err.param, "line": None}
            ]
        close(session, job, JobStatus.FAILED, err.message)
