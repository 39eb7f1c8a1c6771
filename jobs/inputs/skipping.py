"""Files of an input that became no item: counted by their reason, and the first of them by name."""

from collections import Counter
from typing import Any

from jobs.inputs.budgets import LISTED_SKIPS, MOST_REASONS, fit_name

# What a job says whose input had no such files.
NOTHING: dict[str, Any] = {"count": 0, "by_reason": {}, "names": []}


class Skips:
    """What was skipped so far; small, however much it is."""

    def __init__(self) -> None:
        self._by_reason = Counter[str]()
        self._names: list[dict[str, str]] = []

    def note(self, name: str, reason: str) -> None:
        """Count one file. `reason` is one word, such as `system_file`."""
        if reason not in self._by_reason and len(self._by_reason) >= MOST_REASONS:
            reason = "other"
        self._by_reason[reason] += 1
        if len(self._names) < LISTED_SKIPS:
            self._names.append({"name": fit_name(name), "reason": reason})

    def to_json(self) -> dict[str, Any] | None:
        """Give what the job's row keeps; None when nothing was skipped."""
        if not self._by_reason:
            return None
        return {
            "count": self._by_reason.total(),
            "by_reason": dict(self._by_reason.most_common()),
            "names": self._names,
        }
