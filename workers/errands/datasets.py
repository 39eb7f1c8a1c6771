"""A training's data set, checked as it is listed; workers.engine.trainings.images reads it."""

from collections import Counter
from collections.abc import Callable, Iterator

from jobs.base.errors import InvalidInput
from jobs.inputs.manifests import Item
from models.records.errors import DatasetError
from models.training.datasets import MOST_CLASSES, check_classes, label_of

# Members that cannot be read, or not by their place alone (workers.engine.trainings.images).
_UNREADABLE = ("refused", "sparse")


def check_dataset(items: Iterator[Item], skip: Callable[[str, str], None]) -> Iterator[Item]:
    """Give the items that belong to a class; raises InvalidInput when they make no data set.

    `skip` is told the name of every other, and why it is left out.
    """
    counts = Counter[str]()
    try:
        for item in items:
            label = label_of(item.custom_id)
            if label is None or item.encoding in _UNREADABLE:
                skip(item.custom_id, "no_class" if label is None else "unreadable")
                continue
            if item.encoding == "url":
                raise DatasetError(
                    f"{item.custom_id!r} is a URL: a data set is read again and again. Send an "
                    "archive with a folder for each class."
                )
            counts[label] += 1
            if len(counts) > MOST_CLASSES:
                break
            yield item
        check_classes(counts)
    except DatasetError as err:
        raise InvalidInput(str(err), code=err.code, param="input_file_id") from err
