"""Whether fair shares are fair on a whole running stack: `python -m benchmarks.rows.fairness`.

A small job behind another tenant's huge one (`benchmarks.rows.small_jobs`), and device time against
weights (`benchmarks.weights`), each on a stack of its own: `pixelmill up`, real processes, HTTP.
Ends with status 1 when a verdict fails; the figures are in build/fairness-*.json.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import weights
from benchmarks.figures import close
from benchmarks.rows import small_jobs
from jobs.base.database import Database
from tests.e2e.stacks import RunningStack, running_stack
from tests.servers import create_database, postgresql_server

DATABASES = ("sqlite", "postgresql")
QUICK = small_jobs.Plan(idle=10, loaded=8, huge=60_000)


@contextmanager
def opened(database: str, **environ: str) -> Iterator[tuple[RunningStack, Database, Path]]:
    """Run a stack on an empty database; gives it, its database, and a folder to write to."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if database == "sqlite":
            with _running(data, f"sqlite:///{data / 'pixelmill.db'}", environ) as (stack, opened):
                yield stack, opened, Path(folder)
            return
        with (
            postgresql_server() as admin,
            _running(data, create_database(admin, "fairness"), environ) as (stack, opened),
        ):
            yield stack, opened, Path(folder)


@contextmanager
def _running(
    data: Path, url: str, environ: dict[str, str]
) -> Iterator[tuple[RunningStack, Database]]:
    with running_stack(data, **environ, PIXELMILL_DATABASE_URL=url) as stack:
        database = Database(url)
        try:
            yield stack, database
        finally:
            database.close()


def run_small_jobs(database: str, quick: bool) -> int:
    """Measure a small job behind a huge one."""
    plan = QUICK if quick else small_jobs.Plan()
    with opened(database) as (stack, connected, folder):
        figures, verdicts = small_jobs.measure(stack, connected, folder, plan)
    return close(f"fairness-small-jobs-{database}", figures, verdicts)


def run_weights(database: str, quick: bool) -> int:
    """Measure device time against weights."""
    warm_up_s, seconds = (5, 30) if quick else (15, 90)
    environ = {
        "PIXELMILL_EXTENSIONS": "benchmarks.networks",
        "PIXELMILL_LANES": "1",  # networks that sleep would do so in all lanes at a time
        "PYTHONPATH": os.getcwd(),
    }
    with opened(database, **environ) as (stack, connected, folder):
        figures, verdicts = weights.measure(stack, connected, folder, warm_up_s, seconds)
    return close(f"fairness-weights-{database}", figures, verdicts)


MEASUREMENTS = {"small-jobs": run_small_jobs, "weights": run_weights}


def main() -> int:
    """Run what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--only", choices=MEASUREMENTS, help="one of the two measurements")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and a shorter time")
    given = parser.parse_args()
    chosen = [given.only] if given.only else list(MEASUREMENTS)
    failed = 0
    for name in chosen:
        print(f"\n{name} on {given.database}")
        failed |= MEASUREMENTS[name](given.database, given.quick)
    return failed


if __name__ == "__main__":
    sys.exit(main())
