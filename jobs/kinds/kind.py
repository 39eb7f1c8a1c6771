"""What a kind of job is: all that intake, queue, engine and aftercare ask of it.

    listed      which items, of whose; what is kept beside the manifest      parent's, chosen, begin
    cut, run    into which shards, and whether these take turns              cut, turn_s
    over        what its end causes, what a comparison of it causes          end, compared
    shown       whether callers see it                                       is_listed

Each kind is one file, and one line of `jobs.kinds.table`. What it leaves out is as it is for a job
that was submitted. Nobody else asks a job which kind it is of.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.settings import Settings
from jobs.base.states import JobKind
from jobs.inputs.manifests import Item
from jobs.inputs.truths import TruthLines
from jobs.kinds.cutting import cut_shards
from jobs.tables import Job, ModelVersion, Table

# Which of a job's items are wanted, by index.
Wanted = NDArray[np.bool_]

# Takes the name of a file that is left out, and why.
Skip = Callable[[str, str], None]

# Gives the items of a training that belong to a class, and tells the names of the others and why;
# raises InvalidInput when they are no data set. What a data set is, `models` knows.
CheckDataset = Callable[[Iterator[Item], Skip], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """The items of an evaluation, and where their truth is found and put."""

    items: Iterator[Item]
    version: ModelVersion
    # None where the items' folders say what they are.
    lines: TruthLines | None
    # Takes the truth of the item that is given next, as JSON.
    write: Callable[[str], None]
    skip: Skip


# Gives the items that are to run, having written each one's truth; raises InvalidInput when a truth
# is missing or wrong. What a truth is, `models` knows.
LabelItems = Callable[[Unlabelled], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Readers:
    """Who knows what trainings and evaluations are made of."""

    check_dataset: CheckDataset
    label_items: LabelItems


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a job while they are listed, and what a kind may need to choose among them."""

    ground: Ground
    job: Job
    items: Iterator[Item]
    skip: Skip
    beat: Callable[[], None]
    readers: Readers
    # The blob that is kept beside the manifest; None where `Kind.beside` names none.
    beside: str | None


class Kind:
    """A kind of job; this one is that of a job that was submitted and has no more to it."""

    # The word for it, in the table of jobs and for callers.
    word: JobKind
    # Whether it is among the jobs that callers list.
    is_listed = True
    # Whether it exists for an operator's figures alone: no answer of it is kept where its caller
    # does not see it, and it is erased when it was compared, or before its parent is.
    is_trial = False
    # Whether it may ask others for its items once more.
    may_fetch = True
    # Whether a version runs that has to be there when it is stored.
    has_version = True
    # Seconds of the device that its one shard takes for a turn, about; None where shards run to
    # their end. A worker gives turns to one such job at a time.
    turn_s: float | None = None

    def rows(self, job: Job) -> Sequence[Table]:
        """Give the rows that are stored with a job."""
        del job
        return ()

    def most_items(self, settings: Settings) -> int:
        """Say how many items a job may have."""
        return settings.max_items

    def runs_of_parent(self, job: Job, parent: Job, version: ModelVersion) -> list[range] | None:
        """Give those of its parent's items that a job runs, in order; None for all of them.

        `version` is the one that its parent ran.
        """
        del job, parent, version
        return None

    def wanted(
        self,
        ground: Ground,
        job: Job,
        parent: Job,
        version: ModelVersion,
        beat: Callable[[], None],
    ) -> Wanted:
        """Say which of its parent's items a job runs; `beat` is called on the way."""
        del ground, beat
        runs = self.runs_of_parent(job, parent, version)
        wanted = np.full(parent.total, runs is None)
        for run in runs or ():
            wanted[run.start : run.stop] = True
        return wanted

    def beside(self, job: Job) -> str | None:
        """Name the blob that is kept beside a job's manifest; None where there is none."""
        del job
        return None

    def chosen(self, listing: Listing) -> AbstractContextManager[Iterator[Item]]:
        """Give those items that are to run; what is kept beside them is there with the block's end.

        Raises InvalidInput, and NotFound where a file was deleted.
        """
        return nullcontext(listing.items)

    def cut(self, job: Job, total: int, preferred: int) -> list[dict[str, Any]]:
        """Cut the items of a job into shards, to be inserted.

        `preferred` is the number of items of one that its version does best with.
        """
        return cut_shards(job.id, total, preferred)

    def begin(self, session: Session, job: Job, beside: str | None) -> None:
        """Write down what is kept beside the manifest of a job that begins to run."""

    def end(self, session: Session, job: Job) -> None:
        """Insert what follows a job that has just ended; the caller holds its row."""

    def why_not_compared(self, job: Job) -> str | None:
        """Say why a job that ended as it did is not compared; None where it is."""
        del job
        return None

    def compared(self, session: Session, job: Job, figures: dict[str, float]) -> None:
        """Keep the figures of a comparison of a job with its parent, beside its report."""

    def forget(self, session: Session, job: Job, why: str) -> None:
        """Forget what is known of single items of a job; its blobs are erased besides.

        `why` is told of what was yet to come.
        """
