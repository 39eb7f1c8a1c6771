"""Small pictures of jobs that were submitted without `gallery`: made when somebody opens one.

    not there ──asked for──► asked ──lease──► being made ──► made, for as long as the results last
                               ▲                  │
                               └── lapse, fail ───┘ it died, a store was away, or it took too long

What still cannot be read after the last try, or only by whoever has the right credentials, may be
asked for anew after a while: a store comes back, a connection is stored again.

Who asks for one gets those of its neighbours made as well, for they are looked at next. An
inference worker makes them (workers.engine.galleries), for it has the decoders. They lie in one
blob, in the form of those of a shard (jobs.results.thumbnails), and go when those would.

None are made of jobs that have their inputs erased, which may happen at any moment, nor of
addresses, which are not called again to show something.
"""

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import BeingMade, Conflict, NotFound
from jobs.base.storage import BlobMissing
from jobs.leases.leased import Leased
from jobs.leases.leases import PAUSE_S, Lease, LeaseLost, locked
from jobs.results.thumbnails import check_input, check_kept, read_one, read_thumbnail
from jobs.tables import Job, OpenedPictures

# Items whose pictures are made together.
TOGETHER = 8
# Of a tenant; who looks at more at once is told to ask again, and nothing is stored.
_MOST_ASKED = 64
# The longest that a try may take. One tenant's rows stand in line so far apart, with those of
# others between them.
LONGEST_S = 60.0
# After so long what could not be read may be asked for anew.
_AGAIN_S = 600.0


def _is_tenants_only() -> ColumnElement[bool]:
    """Whether nobody makes others of the same tenant: one gallery keeps no other waiting."""
    other = aliased(OpenedPictures)
    at_work = select(other.tenant_id).where(other.made_at.is_(None), other.lease_until > db_now())
    return OpenedPictures.tenant_id.not_in(at_work)


OPENED = Leased(
    name="opened_pictures",
    table=OpenedPictures,
    key=(OpenedPictures.job_id, OpenedPictures.first),
    fence=OpenedPictures.fence,
    until=OpenedPictures.lease_until,
    is_open=OpenedPictures.made_at.is_(None),
    due=_is_tenants_only(),
    order=OpenedPictures.asked_at,
)


def small_picture(ground: Ground, job: Job, index: int) -> bytes:
    """Give an item's small picture, kept as it ran or made because somebody asks for it.

    Raises NotFound where there is none, Conflict while there is none yet.
    """
    return (read_thumbnail if job.gallery else opened_picture)(ground, job, index)


def opened_picture(ground: Ground, job: Job, index: int) -> bytes:
    """Give an item's small picture, a JPEG file; asks for it where it is not there.

    Raises BeingMade until it is made, NotFound where there is none, and Conflict while the items
    are being listed.
    """
    _check_possible(job, index)
    first = index - index % TOGETHER
    being_made = BeingMade(
        f"The small picture of item {index} is being made: ask again in a moment."
    )
    with ground.database.read() as session:
        found = session.get(OpenedPictures, (job.id, first))
    if found is None:
        _ask(ground, job, first)
    if found is None or found.made_at is None:
        raise being_made
    check_input(ground.storage, job, index)
    try:
        picture = found.blob and read_one(
            ground.storage, found.blob, found.count, index - found.first
        )
    except BlobMissing:
        # It was deleted in the moment in which it got its name.
        _ask_anew(ground, job, found)
        raise being_made from None
    if picture:
        return picture
    if found.lease_until is None:
        raise NotFound(f"Item {index} of job {job.id} could not be decoded: it has no picture.")
    if found.lease_until > ground.database.now():
        raise NotFound(
            f"Item {index} of job {job.id} could not be read when small pictures were made: "
            "ask again in some minutes."
        )
    _ask_anew(ground, job, found)
    raise being_made


def end_opened(
    ground: Ground, lease: Lease[OpenedPictures], blob: str | None, *, is_sure: bool = True
) -> None:
    """Say where the pictures lie, or that none could be made.

    Those that are not among them may be asked for anew after a while, unless it `is_sure` that
    there can be none. Raises LeaseLost when the lease was lost, or what they were made of is gone
    by now: the blob is then to be deleted.
    """
    with ground.database.write() as session:
        row = locked(session, lease)
        if row is None:
            raise LeaseLost
        job = session.get_one(Job, row.job_id, populate_existing=True)
        is_wanted = _is_kept(job)
        row.made_at = now = _now(session)
        row.lease_until = None if is_sure else now + _AGAIN_S
        row.blob = blob if is_wanted else None
        if not is_wanted and job.ended_at is not None:
            # Somebody who died may have left some.
            _have_tidied(session, job)
    if blob is not None and not is_wanted:
        raise LeaseLost


def fail_opened(ground: Ground, lease: Lease[OpenedPictures]) -> bool:
    """End a lease that counts as a try, to be taken again after a pause; False if it was lost.

    What others have asked for meanwhile comes first.
    """
    with ground.database.write() as session:
        row = locked(session, lease)
        if row is None:
            return False
        row.asked_at = _next_in_line(session, row.tenant_id)
        row.lease_until = _now(session) + PAUSE_S
    return True


def is_made_now(ground: Ground, job: Job) -> bool:
    """Say whether pictures of a job are being made, whose blob has no name yet."""
    taken = select(OpenedPictures.first).where(OpenedPictures.job_id == job.id, OPENED.is_taken)
    with ground.database.read() as session:
        return session.scalars(taken).first() is not None


def job_of(ground: Ground, lease: Lease[OpenedPictures]) -> Job | None:
    """Give the job whose pictures are asked for; None when its inputs or itself are gone."""
    with ground.database.read() as session:
        job = session.get_one(Job, lease.row.job_id)
    return job if _is_kept(job) else None


def opened_blobs(session: Session, job: Job) -> set[str]:
    """Name the blobs of a job's pictures."""
    of_job = OpenedPictures.job_id == job.id, OpenedPictures.blob.is_not(None)
    return {blob for blob in session.scalars(select(OpenedPictures.blob).where(*of_job)) if blob}


def _is_kept(job: Job) -> bool:
    return job.inputs_erased_at is job.outputs_erased_at is job.deleted_at is None


def _have_tidied(session: Session, job: Job) -> None:
    session.execute(update(Job).where(Job.id == job.id).values(tidy_at=db_now()))


def _check_possible(job: Job, index: int) -> None:
    check_kept(job)
    if job.outputs_erased_at is not None:
        raise NotFound(f"The results of job {job.id} were erased, and its pictures with them.")
    if job.delete_inputs:
        raise NotFound(
            f"Job {job.id} has its inputs erased, so no copies are made of them afterwards."
        )
    if job.manifest is None:
        raise Conflict(f"The items of job {job.id} are still being listed.")
    if index >= job.total:
        raise NotFound(f"Job {job.id} has no item {index}: it has {job.total}, counted from 0.")


def _ask(ground: Ground, job: Job, first: int) -> None:
    try:
        with ground.database.write() as session:
            is_new = session.get(OpenedPictures, (job.id, first)) is None
            if is_new and _waiting(session, job.tenant_id) < _MOST_ASKED:
                row = OpenedPictures(job_id=job.id, first=first, tenant_id=job.tenant_id)
                row.count = min(TOGETHER, job.total - first)
                row.asked_at = _next_in_line(session, job.tenant_id)
                session.add(row)
    except IntegrityError:
        # Somebody else asked for them at the same moment.
        return
    ground.hints.send(job.pool)


def _ask_anew(ground: Ground, job: Job, found: OpenedPictures) -> None:
    """Ask for what has been made once, unless somebody else has by now."""
    is_as_found = OpenedPictures.made_at == found.made_at
    of_these = (OpenedPictures.job_id == job.id, OpenedPictures.first == found.first)
    with ground.database.write() as session:
        session.execute(delete(OpenedPictures).where(*of_these, is_as_found))
    if found.blob is not None:
        ground.storage.delete([found.blob])
    _ask(ground, job, found.first)


def _next_in_line(session: Session, tenant_id: str) -> float:
    """Give when a row would have been asked for, were those of its tenant made one by one."""
    return _now(session) + LONGEST_S * _waiting(session, tenant_id)


def _waiting(session: Session, tenant_id: str) -> int:
    of_tenant = OpenedPictures.tenant_id == tenant_id, OpenedPictures.made_at.is_(None)
    return session.scalar(select(func.count()).where(*of_tenant)) or 0


def _now(session: Session) -> float:
    return session.scalar(select(db_now())) or 0.0
