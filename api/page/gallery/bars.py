"""A job's summary as bars: how often each class was found, how surely, where the time went."""

from typing import NamedTuple

from jobs.results.summaries import BINS, Summary

_MOST_CLASSES = 100
# What is shown at once; the rest is folded up.
_FIRST_CLASSES = 10

# The stages of workers (workers.engine.figures), as people say them.
_STAGES = {
    "read": "Read",
    "fetch": "Fetched",
    "decode": "Decoded",
    "batch_wait": "Batched",
    "infer": "Inferred",
    "write": "Written",
}


class ClassBar(NamedTuple):
    """A class, and its part of the most frequent one in percent."""

    label: str
    number: int
    percent: float


class ConfidenceBar(NamedTuple):
    """Findings between two confidences, and their part of the fullest such bar in percent."""

    at_least: str
    below: str
    number: int
    percent: float


class Distribution(NamedTuple):
    """What a job found; `other_classes` and `others` are what has no bar."""

    items: int
    found: int
    first: list[ClassBar]
    rest: list[ClassBar]
    other_classes: int
    others: int
    confidences: list[ConfidenceBar]
    is_whole: bool


class StageBar(NamedTuple):
    """For how long a stage of the way was at work, and its part of the longest in percent."""

    name: str
    seconds: float
    percent: float


def stages_of(summary: Summary) -> list[StageBar]:
    """Give the stages of a job's shards, in their order; none where no worker has told of any."""
    told = [(text, summary.seconds[name]) for name, text in _STAGES.items()]
    longest = max(seconds for _, seconds in told)
    if not longest:
        return []
    return [StageBar(text, s, 100 * s / longest) for text, s in told if s]


def distribution_of(summary: Summary, is_whole: bool) -> Distribution:
    """Read a summary for a page."""
    listed = summary.classes.most_common(_MOST_CLASSES)
    highest = max((count for _, count in listed), default=0) or 1
    bars = [ClassBar(label, count, 100 * count / highest) for label, count in listed]
    fullest = max(summary.confidences) or 1
    confidences = [
        ConfidenceBar(
            f"{number / BINS:g}", f"{(number + 1) / BINS:g}", count, 100 * count / fullest
        )
        for number, count in enumerate(summary.confidences)
    ]
    return Distribution(
        summary.items,
        summary.found,
        bars[:_FIRST_CLASSES],
        bars[_FIRST_CLASSES:],
        len(summary.classes) - len(listed),
        summary.found - sum(count for _, count in listed),
        confidences if any(summary.confidences) else [],
        is_whole,
    )
