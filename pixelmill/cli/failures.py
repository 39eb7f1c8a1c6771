"""Which items of a job failed: the first of them by name and reason, while results are written."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pixelmill.cli.display import say
from pixelmill.cli.formats import outcome_text
from pixelmill.client.records import Result

_SHOWN = 3


class Failures:
    """Counts the results that bear an error, and keeps the first."""

    def __init__(self) -> None:
        self._first: list[Result] = []
        self._count = 0

    def noted(self, results: Iterable[Result]) -> Iterator[Result]:
        """Give the results as they come."""
        for result in results:
            if result.error is not None:
                self._count += 1
                if len(self._first) < _SHOWN:
                    self._first.append(result)
            yield result

    def tell(self, written: Path) -> None:
        """Say which items failed and why, a line each; `written` is the file that has them all."""
        for result in self._first:
            say(f"failed: {result.custom_id or result.index}: {outcome_text(result)}")
        more = self._count - len(self._first)
        if more > 0:
            say(f"and {more} more, each with its reason in {written}")
