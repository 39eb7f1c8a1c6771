"""Evaluations: jobs over labelled items, whose answers are then held against the labels.

    POST /v1/evaluations ──► items listed, each with its truth ──► run as any job's
                                                                      │ over
                              GET /v1/jobs/{id}/evaluation ◄── figures (jobs.aftercare.evaluation)

The truth lies in a blob of the job, a row an item. It is read and checked while the items are
listed: a class that the version does not know is told before anything runs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput, NotFound
from jobs.inputs.files import get_file
from jobs.inputs.manifests import Item
from jobs.inputs.truths import TruthLines, writing_truths
from jobs.intake.submission import Idempotency, Submission, find_earlier, keep, new_job
from jobs.tables import Evaluation, File, Job, ModelVersion
from jobs.versions.registry import read_version


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """The items of an evaluation, and where their truth is found and put."""

    items: Iterator[Item]
    version: ModelVersion
    # None where the items' folders say what they are.
    lines: TruthLines | None
    # Takes the truth of the item that is given next, as JSON.
    write: Callable[[str], None]
    # Takes the name of a file that is left out, and why.
    skip: Callable[[str, str], None]


# Gives the items that are to run, having written each one's truth; raises InvalidInput when a truth
# is missing or wrong. What a truth is, `models` knows.
LabelItems = Callable[[Unlabelled], Iterator[Item]]


def label_none(unlabelled: Unlabelled) -> NoReturn:
    """Refuse to label, where nobody knows how."""
    del unlabelled
    raise InvalidInput("Evaluations are not prepared here.", code="preparation_failed")


def submit_evaluation(
    ground: Ground,
    submission: Submission,
    truth_file_id: str | None,
    idempotency: Idempotency | None = None,
) -> tuple[Job, bool]:
    """Store an evaluation; gives its job, and False for that of an earlier, equal request."""
    earlier = find_earlier(ground, submission.tenant_id, idempotency)
    if earlier is not None:
        return earlier, False
    job = new_job(submission)
    row = Evaluation(
        job_id=job.id,
        tenant_id=job.tenant_id,
        model_name=job.model_name,
        model_version=job.model_version,
        truth_file_id=truth_file_id,
    )
    return keep(ground, job, [], idempotency, submission.completion_window_s, [row])


@contextmanager
def labelled(
    ground: Ground,
    job: Job,
    name: str,
    items: Iterator[Item],
    skip: Callable[[str, str], None],
    beat: Callable[[], None],
    label_items: LabelItems,
) -> Iterator[Iterator[Item]]:
    """Give the items of an evaluation; their truth is the blob `name` once the block has ended.

    Raises InvalidInput, and NotFound when the file of truths was deleted.
    """
    with ground.database.read() as session:
        evaluation = session.get_one(Evaluation, job.id)
        version = read_version(session, job.model_name, job.model_version)
        file = _truth_file(session, job, evaluation.truth_file_id)
    with ExitStack() as stack:
        lines = None
        if file is not None:
            stream = stack.enter_context(ground.storage.open(file.blob))
            lines = TruthLines(stream, ground.settings.max_training_items, beat)
        truths = stack.enter_context(writing_truths(ground.storage, name))
        yield label_items(Unlabelled(items, version, lines, truths.write, skip))


def _truth_file(session: Session, job: Job, file_id: str | None) -> File | None:
    if file_id is None:
        return None
    try:
        return get_file(session, job.tenant_id, file_id)
    except NotFound as err:
        message = f"The truth, file {file_id}, was deleted before it could be read."
        raise NotFound(message, param="truth_file_id") from err
