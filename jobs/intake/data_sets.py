"""Items that are more than pictures to run: those of trainings and of evaluations, read as such."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobs.base.bootstrap import Ground
from jobs.base.settings import Settings
from jobs.base.states import JobKind
from jobs.inputs.manifests import Item
from jobs.intake.evaluations import LabelItems, labelled
from jobs.tables import Job

# Gives the items of a training that belong to a class, and tells the names of the others and why;
# raises InvalidInput when they are no data set. What a data set is, `models` knows.
CheckDataset = Callable[[Iterator[Item], Callable[[str, str], None]], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Readers:
    """Who knows what trainings and evaluations are made of."""

    check_dataset: CheckDataset
    label_items: LabelItems


def take_all(items: Iterator[Item], skip: Callable[[str, str], None]) -> Iterator[Item]:
    """Take every item for one of a data set, where nobody knows better."""
    del skip
    return items


def most_items(settings: Settings, job: Job) -> int:
    """Say how many items a job may have."""
    is_labelled = job.kind in (JobKind.TRAINING, JobKind.EVALUATION)
    return settings.max_training_items if is_labelled else settings.max_items


@contextmanager
def chosen_items(
    ground: Ground,
    job: Job,
    items: Iterator[Item],
    readers: Readers,
    skip: Callable[[str, str], None],
    beat: Callable[[], None],
    truth: str | None,
) -> Iterator[Iterator[Item]]:
    """Give those items that the job is to run.

    `truth` names the blob that keeps what is true of an evaluation's; it is there when the block
    has ended. Raises InvalidInput, and NotFound where a file was deleted.
    """
    if truth is not None:
        with labelled(ground, job, truth, items, skip, beat, readers.label_items) as chosen:
            yield chosen
    elif job.kind is JobKind.TRAINING:
        yield readers.check_dataset(items, skip)
    else:
        yield items
