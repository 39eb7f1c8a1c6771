"""Which head a file's outputs are for: the one that fits their shapes, the task and the labels."""

from collections.abc import Sequence

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.heads.table import HEADS
from models.onnx_models.reading.shapes import output_shapes, written
from models.records.errors import RecordError

# What people call the networks whose outputs a head reads.
_ALSO_CALLED = {
    **dict.fromkeys(("yolov8", "yolov9", "yolov11", "yolo8", "yolo9", "yolo11"), "yolo"),
    **dict.fromkeys(("yolov5", "yolov7"), "yolo-anchors"),
    **dict.fromkeys(("yolov10", "yolo26"), "end-to-end"),
    "yolov8-seg": "yolo-masks",
}


def recognise(facts: Facts, named: str | None, task: str | None, labels: Sequence[str]) -> Head:
    """Choose the head; `named`, `task` and `labels` are None and empty where nobody says them.

    Raises RecordError where none fits, where several do, and where what was said contradicts the
    outputs.
    """
    if named is not None:
        return _checked(_by_name(named, facts), facts, task, labels)
    fitting = [head for head in HEADS.values() if not head.only_named and head.fits(facts)]
    if not fitting:
        raise RecordError(
            f"The file's outputs are {found(facts)}, which is no kind that is read here: there are "
            f"{', '.join(HEADS)}; export the network with such outputs, or name one with --head "
            "(options.head), for example --head yolo."
        )
    of_task = [head for head in fitting if task in (None, head.task)]
    if not of_task:
        raise RecordError(
            f"The task is {task!r} and the file's outputs {found(facts)} are those of "
            f"{_listed(fitting, facts)}: give --task {fitting[0].task} (task), or leave it out."
        )
    matching = [head for head in of_task if not labels or _has_room(head, facts, len(labels))]
    if not matching:
        raise _wrong_count(of_task, facts, labels)
    if len(matching) > 1:
        raise RecordError(
            f"The file's outputs {found(facts)} may be those of {_listed(matching, facts)}: say "
            f"which with --head (options.head), for example --head {matching[0].name}, or with "
            "--labels (labels) or --task (task)."
        )
    return _checked(matching[0], facts, task, labels)


def found(facts: Facts) -> str:
    """Write the outputs for a message: output0 (1, 84, 8400)."""
    shapes = output_shapes(facts)
    names = [each.name for each in facts.outputs]
    named = zip(names, shapes, strict=False)
    return ", ".join(f"{name} {written(shape)}" for name, shape in named) or "none"


def _by_name(named: str, facts: Facts) -> Head:
    head = HEADS.get(_ALSO_CALLED.get(named, named))
    if head is None:
        raise RecordError(
            f"There is no head {named!r} (--head, options.head); there are {', '.join(HEADS)}."
        )
    if not (head.reads or head.fits)(facts):
        raise RecordError(
            f"The file's outputs are {found(facts)} and --head {named} (options.head) expects "
            f"{head.outputs}: leave it out, or name another of {', '.join(HEADS)}."
        )
    return head


def _checked(head: Head, facts: Facts, task: str | None, labels: Sequence[str]) -> Head:
    """Hold the head against what was said of task and labels."""
    if task not in (None, head.task):
        raise RecordError(
            f"The head {head.name!r} (--head, options.head) is one of task {head.task!r}, and the "
            f"task is {task!r}: give --task {head.task} (task), or another head."
        )
    if labels and not _has_room(head, facts, len(labels)):
        raise _wrong_count([head], facts, labels)
    if not labels and head.labels(facts) != 0:
        raise RecordError(
            f"The file's outputs {found(facts)} are those of {_listed([head], facts)}, and "
            "nothing says their names: give --labels (labels), for example --labels cat,dog."
        )
    return head


def _wrong_count(heads: Sequence[Head], facts: Facts, labels: Sequence[str]) -> RecordError:
    return RecordError(
        f"There are {len(labels)} labels and the file's outputs {found(facts)} are those of "
        f"{_listed(heads, facts)}: give as many with --labels (labels), one name a class in the "
        "network's order, without any for the background or for no object that the head leaves out."
    )


def _has_room(head: Head, facts: Facts, count: int) -> bool:
    return head.labels(facts) in (None, count)


def _listed(heads: Sequence[Head], facts: Facts) -> str:
    return " or ".join(f"{head.name} ({head.task}, {_room(head, facts)})" for head in heads)


def _room(head: Head, facts: Facts) -> str:
    count = head.labels(facts)
    return "any number of labels" if count is None else f"{count} labels"
