"""A network held against what its author's own code answers; the work of who tries it out.

check ─► each picture decoded, prepared, run ─► differences ─► Proof
                                                     │ beyond the limits
                                                     └─► suspects ─► the likely reason
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

import torch

from models.answers.scores.pixel_scores import BACKGROUNDS
from models.contracts import contract_of
from models.media.pictures import Picture
from models.proving.check import Check, Expected, Sample
from models.proving.differences import LIMITS, Difference, differences, has_measure, worst_of
from models.proving.suspects import Suspect, paired, suspects
from models.records.errors import InputError, RecordError
from models.records.record import Limits, ModelRecord
from models.runtime.network import ImageNetwork, Network
from models.tasks.task import Outputs, Predictions
from models.tasks.task import Sample as Prepared

Given = TypeVar("Given")

# Pictures that a suspect is tried on: each costs a pass.
_TRIED_ON = 3
_MOST_NAMED = 5
# Confidences that agree by chance are fewer.
_LEAST_PERMUTED = 2
# The nearest of what was tried, each of which is tried together with all others.
_PAIRED = 3
# A suspect that does not explain all of it is named where it explains most.
_MUCH_NEARER = 5.0
# All that a network tells: thresholds are the caller's.
_ALL: Mapping[str, Any] = {"top_k": 100_000, "min_confidence": 0.0, "max_detections": 1000}
_OPEN: Mapping[str, Mapping[str, Any]] = {
    "embedding": {"normalize": False},
    "segmentation": {"min_area": 1},
}

# Decodes a picture's bytes to so many channels, behind walls.
Decode = Callable[[bytes, int, Limits], Picture]


class Run(Protocol):
    """Runs a pass of a network where batches run."""

    def __call__(self, work: Callable[[], Given], /) -> Given:
        """Give what `work` gives; raises what it raises."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared with whom, and how far apart it was; `worst` has a difference a measure.

    Where neither side found anything in any picture, nothing was compared: it does not hold, and is
    no reason to refuse.
    """

    against: Mapping[str, str]
    samples: int
    worst: Sequence[Difference]
    # The pictures beyond a limit, and what the author may have done otherwise.
    apart: Sequence[str] = field(default_factory=tuple)
    reason: str | None = None
    # Which check it was.
    check: str | None = None

    @property
    def holds(self) -> bool:
        """Say whether something was compared, and all of it is within the limits."""
        return bool(self.worst) and not self.apart

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept with the version."""
        return {
            "against": dict(self.against),
            "check": self.check,
            "samples": self.samples,
            "holds": self.holds,
            "differences": [
                {
                    "measure": each.measure,
                    "worst": round(each.worst, 9),
                    "limit": LIMITS[each.measure],
                    "compared": each.compared,
                }
                for each in self.worst
            ],
            "apart": list(self.apart),
            "reason": self.reason,
        }

    def refusal(self) -> str:
        """Say in one line why the version is refused."""
        names = ", ".join(self.apart[:_MOST_NAMED])
        more = len(self.apart) - _MOST_NAMED
        names += f" and {more} more" if more > 0 else ""
        of = " and ".join(f"{name} {version}".strip() for name, version in self.against.items())
        figures = "; ".join(each.told for each in self.worst if each.excess > 1)
        why = self.reason or (
            "None of the usual reasons explains it: look at the record's preprocess and labels "
            "(`--record`), and at what the check expects."
        )
        return f"It does not answer as {of or 'the check'} does on {names} ({figures}). {why}"


def prove(network: Network, check: Check, decode: Decode, run: Run) -> Proof:
    """Hold a network against a check.

    Raises RecordError for a check that is not one of its task, or whose pictures cannot be read.
    """
    task = network.record.task
    if not isinstance(network, ImageNetwork) or not has_measure(task):
        raise RecordError(
            f"There is no check for the task {task}: push it without one (--no-check)."
        )
    trial = _Trial(network, check, decode, run)
    found = [trial.differences(sample) for sample in check.samples]
    apart = [
        (sample, max(each.excess for each in of))
        for sample, of in zip(check.samples, found, strict=True)
        if any(each.excess > 1 for each in of)
    ]
    worst = worst_of([each for of in found for each in of])
    reason = None
    if apart:
        apart.sort(key=lambda each: -each[1])
        reason = trial.reason([sample for sample, _ in apart[:_TRIED_ON]])
    names = [sample.name for sample, _ in apart]
    return Proof(check.against, len(check.samples), worst, names, reason, check.digest)


class _Trial:
    """Runs the network on pictures, as it is and as a suspect has it."""

    def __init__(self, network: ImageNetwork, check: Check, decode: Decode, run: Run) -> None:
        # Limits are those of float32, whatever jobs are computed in.
        self._network = network.read_as(network.record)
        self._check, self._decode, self._run = check, decode, run

    def differences(self, sample: Sample, suspect: Suspect | None = None) -> list[Difference]:
        """Compare our answer to a sample with what is expected of it."""
        ours, task = self._answer(sample, suspect), self._network.record.task
        record = self._network.record
        theirs = [_plain(each, sample, record) for each in sample.predictions]
        if task == "segmentation":
            # What no class covers is told as a class by some and as nothing by others.
            theirs = [each for each in theirs if not _is_background(each, record)]
        return differences(task, ours, theirs, self._check.least_confidence)

    def _answer(self, sample: Sample, suspect: Suspect | None = None) -> Predictions:
        network = self._network if suspect is None else suspect.network(self._network)
        picture = self._picture(sample, network)
        if suspect is not None:
            picture = suspect.picture(picture)
        prepared = network.sample(picture)
        outputs = self._run(lambda: _in_float32(network, prepared))
        task = network.record.task
        params = {**contract_of(task).params().model_dump(), **_ALL, **_OPEN.get(task, {})}
        return network.postprocess(outputs, params)[0]

    def reason(self, samples: Sequence[Sample]) -> str | None:
        """Say what of the usual explains the differences of these samples, if anything does."""
        if all(map(self._is_permuted, samples)):
            return (
                "The same confidences stand at other classes: the labels are in another order "
                "(`--labels`)."
            )
        before, known = self._excess(samples, None), list(suspects(self._network.record))
        tried = self._tried(samples, known)
        if tried and tried[0][0] > 1:
            pairs = [one for _, each in tried[:_PAIRED] for one in paired(each, known)]
            worst = samples[:1]
            likely = [each for _, each in self._tried(worst, pairs)[:1]]
            tried = sorted([*tried, *self._tried(samples, likely)], key=_excess_of)
        if not tried or (tried[0][0] > 1 and tried[0][0] * _MUCH_NEARER > before):
            return None
        nearest, suspect = tried[0]
        how = "agree" if nearest <= 1 else "be nearer, not equal,"
        return f"They would {how} {suspect.words}. {suspect.remedy}"

    def _tried(
        self, samples: Sequence[Sample], known: Sequence[Suspect]
    ) -> list[tuple[float, Suspect]]:
        """Give how far answers are apart as each suspect has it, the nearest first."""
        tried = []
        for suspect in known:
            try:
                tried.append((self._excess(samples, suspect), suspect))
            except (RecordError, InputError, ValueError, RuntimeError):
                # What this network cannot be is no reason.
                continue
        return sorted(tried, key=_excess_of)

    def _is_permuted(self, sample: Sample) -> bool:
        """Say whether the best confidences are those that are expected, of whatever classes."""
        expected = sorted((each.confidence or 0.0 for each in sample.predictions), reverse=True)
        if self._network.record.task != "classification" or len(expected) < _LEAST_PERMUTED:
            return False
        ours = [each["confidence"] for each in self._answer(sample)[: len(expected)]]
        pairs = zip(ours, expected, strict=True)
        return all(abs(mine - other) <= LIMITS["confidence"] for mine, other in pairs)

    def _excess(self, samples: Sequence[Sample], suspect: Suspect | None) -> float:
        found = [each for one in samples for each in self.differences(one, suspect)]
        return max((each.excess for each in found), default=0.0)

    def _picture(self, sample: Sample, network: ImageNetwork) -> Picture:
        try:
            return self._decode(sample.content(), network.channels, network.record.limits)
        except InputError as err:
            raise RecordError(f"The check's picture {sample.name} cannot be read: {err}") from err


def _in_float32(network: ImageNetwork, prepared: Prepared) -> Outputs:
    """Run a pass; on a GPU torch would convolve in TF32, of which nobody's limits are."""
    if network.device.type != "cuda":
        return network.forward([prepared])
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        return network.forward([prepared])
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _excess_of(tried: tuple[float, Suspect]) -> float:
    return tried[0]


def _is_background(expected: Mapping[str, Any], record: ModelRecord) -> bool:
    name = expected.get("class")
    if name is None and "class_id" in expected and record.labels:
        name = record.labels[expected["class_id"]]
    return name in BACKGROUNDS


def _plain(expected: Expected, sample: Sample, record: ModelRecord) -> dict[str, Any]:
    """Give an expectation as predictions are given.

    Raises RecordError when its task needs more, and for a class that the model does not know.
    """
    task, name, number = record.task, expected.name, expected.class_id
    needed = {"detection": "box", "segmentation": "mask", "embedding": "embedding"}.get(task)
    if needed is not None and getattr(expected, needed) is None:
        raise RecordError(
            f"The check expects of {sample.name} something without `{needed}`, which the task "
            f"{task} gives."
        )
    if number is not None and record.labels:
        if number >= len(record.labels):
            raise RecordError(
                f"The check expects class {number} of {sample.name}, and the model has "
                f"{len(record.labels)} labels, of which the first is 0."
            )
        if name is not None and name != record.labels[number]:
            raise RecordError(
                f"The check's class {number} of {sample.name} is called {name!r}, and the model's "
                f"{record.labels[number]!r}: the labels are in another order, or are others "
                "(--labels); leave `class_id` out of the check, and names alone are compared."
            )
    if expected.class_id is None and name is not None and name not in record.labels:
        near = get_close_matches(name, record.labels) or record.labels[:5]
        raise RecordError(
            f"The check expects the class {name!r} of {sample.name}, which the model does not "
            f"know; it has, for example, {', '.join(map(repr, near))}."
        )
    return expected.model_dump(by_alias=True, exclude_none=True)
