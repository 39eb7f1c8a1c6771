"""Learns from its items instead of answering for each, in turns (jobs.intake.trainings).

It has one shard: the network that is to come of it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from jobs.base.settings import Settings
from jobs.base.states import JobKind
from jobs.inputs.manifests import Item
from jobs.kinds.cutting import only_shard
from jobs.kinds.kind import Kind, Listing, Skip
from jobs.tables import Job


class _Training(Kind):
    word = JobKind.TRAINING
    # Callers have a list of their own for them.
    is_listed = False
    # Its version comes last.
    has_version = False
    # As Settings.training_turn_s has it.
    turn_s = 20.0

    def most_items(self, settings: Settings) -> int:
        """Say how many images a data set may have."""
        return settings.max_training_items

    def chosen(self, listing: Listing) -> AbstractContextManager[Iterator[Item]]:
        """Give the images that belong to a class; raises InvalidInput when they are no data set."""
        return nullcontext(listing.readers.check_dataset(listing.items, listing.skip))

    def cut(self, job: Job, total: int, preferred: int) -> list[dict[str, Any]]:
        """Give the one shard, however many images there are."""
        del total, preferred
        return only_shard(job.id)


def take_all(items: Iterator[Item], skip: Skip) -> Iterator[Item]:
    """Take every item for one of a data set, where nobody knows better."""
    del skip
    return items


TRAINING = _Training()
