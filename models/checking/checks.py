"""The checks: each gives one line for every fault, with what is wrong and how to mend it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from models.checking.comparing import difference
from models.checking.state import changes, state_of
from models.checking.subject import Subject, batches_of, seen
from models.extensions.answers import checked
from models.extensions.loading import reason_of
from models.extensions.task import tensors_in
from models.records.errors import ExtensionFailed, ModelError
from models.runtime import weights as weights_file

Faults = Iterator[str]

_THREADS, _ROUNDS = 4, 5


def loads(subject: Subject) -> Faults:
    """A worker can load it and run a black picture."""
    try:
        _ = subject.network
    except ModelError as err:
        yield str(err)
    except Exception as err:  # whatever its own code raises
        yield (
            f"forward fails on black pictures: {reason_of(err)}. It takes float32 (B, channels, h, "
            "w) of 1 to `max_batch` pictures"
        )


def prepares(subject: Subject) -> Faults:
    """Pictures of all kinds become samples."""
    for what, err in subject.unprepared:
        why = str(err) if isinstance(err, ExtensionFailed) else reason_of(err)
        yield (
            f"{what} cannot be prepared: {why} Have `prepare` take pictures of any size, or raise "
            "models.records.errors.ImageTooLarge with a sentence"
        )
    if not subject.inputs and not subject.unprepared:
        yield f"`prepare` refuses every picture, the first so: {subject.prepared[0][1]}"


def runs(subject: Subject) -> Faults:
    """Each sample can be inferred by itself."""
    for what, each in subject.inputs:
        try:
            subject.network.forward([each])
        except Exception as err:  # whatever its own code raises
            yield f"forward fails on {what}: {reason_of(err)}. It takes all that `prepare` gives"


def answers_by_contract(subject: Subject) -> Faults:
    """What is answered is what the task's contract says."""
    for (what, each), outputs in zip(subject.inputs, subject.alone, strict=True):
        for all_of_them in (False, True):
            try:
                given = subject.predictions(outputs, all_of_them=all_of_them)
                predictions = checked(subject.record, given, seen(each))
            except ExtensionFailed as err:
                yield f"{what}: {err} Mend `postprocess`"
            except Exception as err:  # whatever its own code raises
                task = subject.record.task
                yield (
                    f"{what}: the answer is not what {task} takes: {reason_of(err)}. Have "
                    f"`forward` give what models/tasks says of {task}, or write a `postprocess`"
                )
            else:
                yield from _boxes_outside(what, predictions, seen(each))
                continue
            break


def answers_finitely(subject: Subject) -> Faults:
    """No number is infinite or none at all."""
    for (what, _), outputs in zip(subject.inputs, subject.alone, strict=True):
        if not all(each.isfinite().all() for each in tensors_in(outputs)):
            yield (
                f"forward gives what is not a finite number for {what}. Look for a division by "
                "zero, a logarithm of zero, or an exponential of a large number"
            )


def answers_in_batches_as_alone(subject: Subject) -> Faults:
    """What else is in a batch changes no answer."""
    inputs = subject.inputs
    for size in sorted({1, 2, subject.record.max_batch}):
        for places in batches_of(inputs, size):
            try:
                outputs = subject.network.forward([inputs[place][1] for place in places])
            except Exception as err:  # whatever its own code raises
                yield (
                    f"forward fails on a batch of {size}: {reason_of(err)}. It takes as many "
                    "pictures as `max_batch` says; make that smaller if it must be"
                )
                break
            odd = _odd_ones(subject, outputs, places)
            if odd:
                yield (
                    f"a batch of {size} is answered otherwise than its pictures alone ({odd}). "
                    "Have `forward` compute each picture by itself: no mean, sort or maximum over "
                    "the batch, and no norm that looks at it"
                )
                break


def forward_writes_nothing(subject: Subject) -> Faults:
    """The module is the same after it was run."""
    network, inputs = subject.load(subject.weights), subject.inputs
    before = state_of(network.module)
    for _, each in inputs:
        network.forward([each])
    for name in changes(before, state_of(network.module)):
        yield (
            f"forward writes `{name}`, and several threads run it at a time. Keep it in a local "
            "variable, or run workers with PIXELMILL_LANES=1"
        )


def answers_in_threads_as_alone(subject: Subject) -> Faults:
    """Several threads at a time get what each would get alone."""
    found: list[str] = []

    def run(first: int) -> None:
        count = len(subject.inputs)
        for number in range(_ROUNDS * count):
            place = (first + number) % count
            try:
                outputs = subject.network.forward([subject.inputs[place][1]])
            except Exception as err:  # whatever its own code raises
                found.append(reason_of(err))
                return
            if odd := _odd_ones(subject, outputs, [place]):
                found.append(odd)
                return

    _ = subject.alone
    threads = [threading.Thread(target=run, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if found:
        yield (
            f"{_THREADS} threads at a time get other answers than one ({found[0]}). Have `forward` "
            "keep nothing in the module or in globals, or run workers with PIXELMILL_LANES=1"
        )


def loads_twice(subject: Subject) -> Faults:
    """Two versions in one process are two networks."""
    _ = subject.alone
    try:
        again = subject.load(subject.weights)
        other = subject.load(_other(subject.weights))
    except Exception as err:  # whatever its own code raises
        yield (
            f"it cannot be loaded a second time: {reason_of(err)}. Have the builder make a new "
            "module each time, and register nothing in it that may be registered once"
        )
        return
    for network, which in ((again, "the second one"), (subject.network, "the first one")):
        for place, (_, each) in enumerate(subject.inputs):
            other.forward([each])
            if odd := _odd_ones(subject, network.forward([each]), [place]):
                yield (
                    f"loaded twice, {which} answers otherwise ({odd}). Have the builder make a "
                    "new module each time, with nothing shared between them"
                )
                return


CHECKS: Final[Mapping[str, Callable[[Subject], Faults]]] = {
    "loads": loads,
    "prepares pictures of all kinds": prepares,
    "runs on each of them": runs,
    "answers by its task's contract": answers_by_contract,
    "answers with finite numbers": answers_finitely,
    "answers in batches as alone": answers_in_batches_as_alone,
    "writes nothing to its module": forward_writes_nothing,
    "answers in several threads as alone": answers_in_threads_as_alone,
    "can be loaded twice": loads_twice,
}
# What the others stand on: where one of these has a fault, they are not run.
FIRST: Final = ("loads", "prepares pictures of all kinds", "runs on each of them")


def _odd_ones(subject: Subject, outputs: Any, places: list[int]) -> str:
    """Say which of a batch's answers differ from those of the pictures alone, and how."""
    for row, place in enumerate(places):
        if found := difference(subject.alone[place], outputs[row : row + 1]):
            return f"{subject.inputs[place][0]}: {found}"
    return ""


def _boxes_outside(what: str, predictions: Any, of: Any) -> Faults:
    for number, each in enumerate(predictions):
        box = each.get("box")
        if box is None:
            continue
        is_right = box["x"] >= of.width or box["x"] + box["width"] <= 0
        is_below = box["y"] >= of.height or box["y"] + box["height"] <= 0
        if is_right or is_below:
            yield (
                f"{what}: the box of prediction {number} lies beside the picture. Leave out what "
                "is found in the frame of a letterbox, and move the others to pixels of the "
                "original with `seen.in_original`"
            )
            return


def _other(weights: bytes) -> bytes:
    """Give weights that answer otherwise."""
    tensors = weights_file.read(weights)
    return weights_file.write(
        {
            name: each * 1.5 + 0.25 if each.is_floating_point() else each
            for name, each in tensors.items()
        }
    )
