"""The states of a job, a shard, a version, an upload, an output and an item: pure code, no I/O.

A job

    validating ──prepared──► in_progress ──last shard──────────► completed
        │  │                     │   │
        │  └──bad input──► failed│   └──cancel──► cancelling ──► cancelled
        └──cancel──► cancelled   └──deadline─────────────────► expired
        └──deadline──► expired

A shard

    pending ──claim──► leased ──commit──► done
       ▲                 │  │
       └──lease dies─────┘  └──cut in two──► split
    pending ──job ended early──► cancelled
    leased ──job deleted──► cancelled

A version of a model

    validating ──tried out──► ready ──delete──► deleted
        │  └──does not run──► refused ──delete──► deleted
        └──delete──► deleted

A watch

    active ◄──listed──► failing        active, failing ──pause──► paused ──resume──► active

An output: a job's results on their way into a bucket of its caller's

    waiting ──leased──► writing ──manifest there──► written
       ▲                  │  └──tries used up, or results gone──► failed
       └──failed, pause───┘

An upload that resumes

    receiving ──last byte──► finishing ──put together──► finished
        │                        └──cannot be──► expired
        └──nothing came for long, or ended by its caller──► expired

An item is in exactly one of four states, and only its result row says which:
succeeded, errored, cancelled or expired. Until that row is committed it is "processing".

Every change of state is a conditional update (`WHERE state = …`); a change that the diagrams do not
have raises IllegalTransition.
"""

from enum import StrEnum

from jobs.base.errors import IllegalTransition


class JobStatus(StrEnum):
    """Where a job stands; the words are those of the OpenAI Batch API."""

    # Accepted and stored. Moved on by an io worker, which lists the items and cuts the shards; if
    # that worker dies, its lease ends and another one prepares the job from the beginning.
    VALIDATING = "validating"
    # Shards run. Moved on by the commit of the last shard, by a cancel, or by the deadline; a
    # crash leaves committed shards done and returns the others to pending.
    IN_PROGRESS = "in_progress"
    # A cancel came while shards were leased. Moved on by the last of these to commit or to lose
    # its lease; a crash leaves it here until the sweeper ends the lease.
    CANCELLING = "cancelling"
    # The rest is terminal: nothing moves a job out of it, and no crash touches it.
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What a completed job amounts to."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


class JobKind(StrEnum):
    """The words for kinds of jobs; what sets one apart stands in `jobs.kinds`, and nowhere else."""

    SUBMITTED = "submitted"
    # The same items on another version, to be compared (jobs.aftercare.comparison).
    RERUN = "rerun"
    # The items that failed, were cancelled or expired, once more.
    RETRY = "retry"
    # A sample of the items on a version that is being tried; no caller sees it
    # (jobs.kinds.shadow).
    SHADOW = "shadow"
    # Learns from its items instead of answering for each, in turns (jobs.intake.trainings).
    TRAINING = "training"
    # Runs labelled items, and its answers are held against the labels (jobs.aftercare.evaluation).
    EVALUATION = "evaluation"


class ShardState(StrEnum):
    """Where a shard stands."""

    # Waits for a worker's claim; a crash changes nothing.
    PENDING = "pending"
    # A worker holds it until `lease_until`. Moved on by that worker's commit or hand-back, by its
    # launcher or its successor after its death, or by the sweeper once the lease is over. A crash
    # loses the work done since the claim and nothing else.
    LEASED = "leased"
    # Its segment is durable and counted; final.
    DONE = "done"
    # Cut in two, to look for an item that kills workers; its halves stand in its place; final.
    SPLIT = "split"
    # Its job ended first, or was deleted while a worker held it, whose commit then finds it gone;
    # its items' rows are derived from the manifest; final.
    CANCELLED = "cancelled"


class UploadState(StrEnum):
    """Where an upload that resumes stands."""

    # Bytes are wanted. Moved on by the request that brings the last of them, or by the sweeper when
    # nothing came for long; a crash keeps every part that is listed, and loses what was not yet.
    RECEIVING = "receiving"
    # All bytes are here, as parts. Moved on by whoever leases it and makes one blob of them; if
    # that process dies, its lease ends and another begins anew under a fresh name.
    FINISHING = "finishing"
    # The rest is terminal. Parts that a crash has left are erased by the sweeper.
    FINISHED = "finished"
    EXPIRED = "expired"


class OutputState(StrEnum):
    """Where the writing of a job's results into a bucket stands."""

    # The job is not over, or a try failed and the next is due after a pause. Moved on by the io
    # worker that leases it; a crash changes nothing.
    WAITING = "waiting"
    # An io worker writes parts. Moved on by that worker; if it dies, its lease ends and another one
    # writes the same objects anew, under the same names.
    WRITING = "writing"
    # The rest is terminal. The manifest is there, and with it everything that it lists.
    WRITTEN = "written"
    FAILED = "failed"


class ItemStatus(StrEnum):
    """What became of one item; stands in segments only."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class VersionState(StrEnum):
    """Where a version of a model stands; only one that is ready can be named by a new job."""

    # Stored. Moved on by a worker that loads it and runs it once; if that worker dies, its turn
    # ends and another one tries, a few times at most.
    VALIDATING = "validating"
    # Runs. Moved on by a deletion only; no crash touches it.
    READY = "ready"
    # It could not be loaded or run; its row says why. Its weights are erased by the sweeper.
    REFUSED = "refused"
    # Hidden from new jobs; those that were there before still run it. Its weights are erased by the
    # sweeper once none of them is open.
    DELETED = "deleted"


class WatchState(StrEnum):
    """Where a watch stands; deleting it takes the row away."""

    # Its folder is listed when it is due. Moved on by the io worker that lists it, and by its
    # caller; if that worker dies, its lease ends and another one lists it anew.
    ACTIVE = "active"
    # The last listing, or a job that was to come of it, failed; its row says why. Moved on by the
    # next one that succeeds, after pauses that grow; a crash changes nothing.
    FAILING = "failing"
    # Its caller wants no listings. Moved on by its caller alone.
    PAUSED = "paused"


TERMINAL = frozenset(
    {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED}
)

_JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.VALIDATING: frozenset(
        {JobStatus.IN_PROGRESS, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED}
    ),
    JobStatus.IN_PROGRESS: frozenset(
        {JobStatus.COMPLETED, JobStatus.CANCELLING, JobStatus.EXPIRED}
    ),
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED}),
}


def check_job_move(old: JobStatus, new: JobStatus) -> None:
    """Raise IllegalTransition unless the diagram has an arrow from `old` to `new`."""
    if new not in _JOB_MOVES.get(old, frozenset()):
        raise IllegalTransition(f"a job cannot go from {old} to {new}")


def outcome_of(total: int, failed: int) -> Outcome:
    """Say what a completed job of `total` items amounts to when `failed` of them errored."""
    if failed == 0:
        return Outcome.SUCCEEDED
    return Outcome.FAILED if failed == total else Outcome.PARTIAL


def closing_status(status: JobStatus, ending: ItemStatus | None) -> JobStatus:
    """Say how a job closes whose last item has just been counted.

    `ending` tells that the job was being ended early, and what the items that never ran are called.
    """
    if status is JobStatus.CANCELLING or ending is ItemStatus.CANCELLED:
        return JobStatus.CANCELLED
    if ending is ItemStatus.EXPIRED:
        return JobStatus.EXPIRED
    return JobStatus.COMPLETED
