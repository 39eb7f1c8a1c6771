"""What comes of one look at a folder, and how it is stored: in one transaction, under the fence.

A watch that fails is looked at again after a pause that grows, and nothing is marked as seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.states import WatchState
from jobs.inputs.skipping import Skips
from jobs.intake.submission import Submission, insert_job, new_job
from jobs.leases.leased import Leased
from jobs.leases.leases import Lease, LeaseLost, locked
from jobs.queue.commits import through_outages
from jobs.tables import Job, Watch

# A store that takes long to list is asked less often: of an hour it is listed 12 minutes at most.
_REST = 4.0
_LONGEST_PAUSE_S = 3600.0
_MOST_DOUBLINGS = 20


def _is_tenants_only() -> ColumnElement[bool]:
    """Whether no other folder of the same tenant is being listed: listings may take long."""
    listing = select(Watch.tenant_id).where(
        Watch.state != WatchState.PAUSED, Watch.lease_until > db_now()
    )
    return Watch.tenant_id.not_in(listing)


# Its tries are counted apart (`Watch.failures`): each look is a lease.
WATCHES = Leased(
    name="watch",
    table=Watch,
    key=(Watch.id,),
    fence=Watch.fence,
    until=Watch.lease_until,
    is_open=Watch.state != WatchState.PAUSED,
    due=(Watch.next_at <= db_now()) & _is_tenants_only(),
    order=Watch.next_at,
)


class Made(NamedTuple):
    """A job that is to be stored, whose manifest is written."""

    submission: Submission
    manifest: str
    total: int
    shards: list[dict[str, Any]]


@dataclass(slots=True)
class Look:
    """What comes of one look."""

    began_at: float
    skips: Skips = field(default_factory=Skips)
    # Whether the folder was listed to its end, and how many objects in it are new.
    is_listed: bool = False
    new: int = 0
    # Whether what is remembered changes, and the blob that then holds it.
    is_other: bool = False
    seen: str | None = None
    made: list[Made] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """How many of the new objects are items of jobs now; the others wait for the next look."""
        return sum(made.total for made in self.made)

    @property
    def blobs(self) -> list[str]:
        """Everything that was written, for when it is not stored."""
        return [*(made.manifest for made in self.made), *([self.seen] if self.seen else [])]


def store_look(ground: Ground, lease: Lease[Watch], look: Look) -> None:
    """Store what was found, waiting out the database; raises LeaseLost and UnknownModel."""
    is_stored = through_outages(
        lambda: _store(ground, lease, look),
        lambda: _is_stored(ground, lease, look),
        lease.row.id,
    )
    if not is_stored:
        raise LeaseLost


def store_failure(ground: Ground, lease: Lease[Watch], look: Look, told: str) -> None:
    """Write down why a look came to nothing; it is repeated after a pause."""
    with ground.database.write() as session:
        watch = locked(session, lease)
        if watch is None:
            return
        watch.state, watch.last_error = WatchState.FAILING, told
        watch.failures += 1
        grown = watch.interval_s * 2.0 ** min(watch.failures, _MOST_DOUBLINGS)
        if look.is_listed:
            _note_listing(watch, look, waiting=look.new)
        _rest(session, watch, max(watch.interval_s, min(grown, _LONGEST_PAUSE_S)))


def _store(ground: Ground, lease: Lease[Watch], look: Look) -> bool:
    """Store jobs, shards and what is seen, all or nothing; False when the lease was lost."""
    with ground.database.write() as session:
        watch = locked(session, lease)
        if watch is None:
            return False
        # New rows for each try: those of the one before were rolled back.
        for job, made in _jobs_of(look.made):
            insert_job(session, job, made.shards, made.submission.completion_window_s)
        watch.seen = look.seen or watch.seen
        watch.state, watch.failures, watch.last_error = WatchState.ACTIVE, 0, None
        watch.objects_seen += look.taken
        watch.jobs_created += len(look.made)
        waiting = look.new - look.taken
        _note_listing(watch, look, waiting)
        took_s = (session.scalar(select(db_now())) or 0.0) - look.began_at
        _rest(session, watch, 0.0 if waiting else max(watch.interval_s, _REST * took_s))
        return True


def _jobs_of(made: Iterable[Made]) -> Iterable[tuple[Job, Made]]:
    for each in made:
        job = new_job(each.submission)
        job.manifest, job.total = each.manifest, each.total
        yield job, each


def _is_stored(ground: Ground, lease: Lease[Watch], look: Look) -> bool:
    """Say whether a transaction whose end nobody heard of took place."""
    if look.seen is None:
        return False
    with ground.database.read() as session:
        if look.made:
            # Others may have looked at the watch since, or deleted it; its jobs tell all the same.
            job = select(Job.id).where(Job.id == look.made[0].submission.job_id)
            return session.scalar(job) is not None
        return session.scalar(select(Watch.seen).where(Watch.id == lease.row.id)) == look.seen


def _note_listing(watch: Watch, look: Look, waiting: int) -> None:
    watch.last_listed_at, watch.skipped = look.began_at, look.skips.to_json()
    watch.objects_waiting = waiting


def _rest(session: Session, watch: Watch, pause_s: float) -> None:
    """End the lease; the fence goes up, so that nothing is stored under it twice."""
    watch.fence, watch.lease_until = watch.fence + 1, None
    watch.next_at = (session.scalar(select(db_now())) or 0.0) + pause_s
