"""Which items of a job failed: the first of them by name and reason, and where the rest is told."""

from collections.abc import Iterable
from itertools import islice

from pixelmill.cli.showing.display import say
from pixelmill.cli.showing.formats import outcome_text
from pixelmill.client.records import Job, Result

_SHOWN = 3
# Results that are looked through for them.
_MOST_READ = 10_000


def tell_failures(job: Job, results: Iterable[Result]) -> None:
    """Say which items of a job that is over failed and why, a line each, and where the rest is."""
    count = job.request_counts.failed
    if not count:
        return
    errored = (each for each in islice(results, _MOST_READ) if each.error is not None)
    first = list(islice(errored, _SHOWN))
    for result in first:
        say(f"failed: {result.custom_id or result.index}: {outcome_text(result)}")
    if count > len(first):
        say(f"{count} failed: `pixelmill results {job.id}` says of each why")
