"""What is true of an evaluation's items, checked as they are listed.

a file of truths     a line an item (jobs.inputs.truths)
WebDataset           `000017.cls` beside `000017.jpg`: a class, or its number among the labels
folders              the folder that holds a picture names its class
"""

import json
from collections.abc import Iterator
from typing import Any

from jobs.base.errors import InvalidInput
from jobs.inputs.manifests import Item
from jobs.inputs.truths import TruthLines
from jobs.kinds.kind import Unlabelled
from jobs.versions.names import shown_name
from models.contracts.truths import check_class, read_truth
from models.records.errors import TruthError
from models.training.datasets import label_of


def label_items(unlabelled: Unlabelled) -> Iterator[Item]:
    """Give the items of which something is true, and write down what it is.

    Raises InvalidInput where the truth is wrong, or lacks. A file that lies in no folder is skipped
    where folders are the truth.
    """
    names = unlabelled.version.labels
    labels = dict.fromkeys(names)
    for item in unlabelled.items:
        if unlabelled.lines is not None:
            truth = _truth_of_line(unlabelled, unlabelled.lines, item, labels)
        else:
            name = _class_of(unlabelled, item, names)
            if name is None:
                unlabelled.skip(item.custom_id, "no_class")
                continue
            truth = {"class": name}
        unlabelled.write(json.dumps(truth, separators=(",", ":")))
        yield item
    if unlabelled.lines is not None:
        unlabelled.lines.check_all_taken()


def _truth_of_line(
    unlabelled: Unlabelled, lines: TruthLines, item: Item, labels: dict[str, None]
) -> dict[str, Any]:
    value, number = lines.take(item.custom_id)
    said = {name: each for name, each in value.items() if name != "custom_id"}
    try:
        return read_truth(unlabelled.version.task, said, labels)
    except TruthError as err:
        raise _refused(f"Line {number} of the truth: {err}", err.code, "truth_file_id") from err


def _class_of(unlabelled: Unlabelled, item: Item, labels: list[str]) -> str | None:
    metadata = json.loads(item.metadata) if item.metadata else {}
    name = metadata.get("cls", label_of(item.custom_id))
    if isinstance(name, int) and 0 <= name < len(labels):
        return labels[name]
    if name is None:
        return None
    try:
        check_class(str(name), labels)
    except TruthError as err:
        model = _model(unlabelled)
        text = f"{item.custom_id!r} cannot be evaluated on {model}: {err}"
        raise _refused(text, "unknown_class", "input_file_id") from err
    return str(name)


def _model(unlabelled: Unlabelled) -> str:
    return f"{shown_name(unlabelled.version.name)}@{unlabelled.version.version}"


def _refused(text: str, code: str, param: str) -> InvalidInput:
    return InvalidInput(text if text.endswith(("?", ".")) else f"{text}.", code=code, param=param)
