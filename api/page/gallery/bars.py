"""A job's summary as bars: how often each class was found, and how surely."""

from typing import NamedTuple

from jobs.results.summaries import BINS, Summary

_MOST_CLASSES = 100
# What is shown at once; the rest is folded up.
_FIRST_CLASSES = 10


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
