"""Runs labelled items, and its answers are held against the labels (jobs.aftercare.evaluation).

The truth lies in a blob of the job, a row an item. It is read and checked while the items are
listed: a class that the version does not know is told before anything runs.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from sqlalchemy import Update, update
from sqlalchemy.orm import Session

from jobs.base.database import db_now
from jobs.base.errors import InvalidInput, NotFound
from jobs.base.settings import Settings
from jobs.base.states import JobKind
from jobs.base.storage import truth_name
from jobs.inputs.files import get_file
from jobs.inputs.manifests import Item
from jobs.inputs.truths import TruthLines, writing_truths
from jobs.kinds.kind import Kind, Listing, Unlabelled
from jobs.tables import Evaluation, File, Job
from jobs.versions.registry import read_version


class _Evaluation(Kind):
    word = JobKind.EVALUATION

    def most_items(self, settings: Settings) -> int:
        """Say how many labelled items a job may have."""
        return settings.max_training_items

    def beside(self, job: Job) -> str | None:
        """Name the truth."""
        return truth_name(job.id)

    @contextmanager
    def chosen(self, listing: Listing) -> Iterator[Iterator[Item]]:
        """Give the items of which something is true; that is written when the block has ended.

        Raises InvalidInput, and NotFound when the file of truths was deleted.
        """
        ground, job = listing.ground, listing.job
        with ground.database.read() as session:
            evaluation = session.get_one(Evaluation, job.id)
            version = read_version(session, job.model_name, job.model_version)
            file = _truth_file(session, job, evaluation.truth_file_id)
        with ExitStack() as stack:
            lines = None
            if file is not None:
                stream = stack.enter_context(ground.storage.open(file.blob))
                lines = TruthLines(stream, self.most_items(ground.settings), listing.beat)
            truths = stack.enter_context(writing_truths(ground.storage, listing.beside or ""))
            unlabelled = Unlabelled(listing.items, version, lines, truths.write, listing.skip)
            yield listing.readers.label_items(unlabelled)

    def begin(self, session: Session, job: Job, beside: str | None) -> None:
        """Keep the name of the truth."""
        session.execute(_of(job).values(truth=beside))

    def forget(self, session: Session, job: Job, why: str) -> None:
        """Forget names and truth of items; an evaluation that is still to come has no answers."""
        still_open = _of(job).where(Evaluation.ended_at.is_(None))
        session.execute(still_open.values(ended_at=db_now(), failure=why))
        session.execute(_of(job).values(unanswered=None, truth=None))


def label_none(unlabelled: Unlabelled) -> NoReturn:
    """Refuse to label, where nobody knows how."""
    del unlabelled
    raise InvalidInput("Evaluations are not prepared here.", code="preparation_failed")


def _of(job: Job) -> Update:
    return update(Evaluation).where(Evaluation.job_id == job.id)


def _truth_file(session: Session, job: Job, file_id: str | None) -> File | None:
    if file_id is None:
        return None
    try:
        return get_file(session, job.tenant_id, file_id)
    except NotFound as err:
        message = f"The truth, file {file_id}, was deleted before it could be read."
        raise NotFound(message, param="truth_file_id") from err


EVALUATION = _Evaluation()
