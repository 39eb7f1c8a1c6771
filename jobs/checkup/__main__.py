"""Checks an installation: `python -m jobs.checkup [--url URL]`, or `pixelmill doctor`.

One line for each thing that was looked at. Exit status: 0 all is well; 1 something is wrong; 2 the
settings cannot be read.
"""

import argparse
import logging
from collections.abc import Iterator

import structlog

from jobs.base.database import Database
from jobs.base.settings import Settings, load_settings_or_exit
from jobs.checkup.finding import Finding
from jobs.checkup.grounds import (
    check_clock,
    check_database,
    check_disk,
    check_privacy,
    check_redis,
    check_storage,
)
from jobs.checkup.processes import check_api, check_ports, check_workers
from jobs.presence.version import installed_version


def main() -> None:
    """Look at everything, say it, and end with the status."""
    parser = argparse.ArgumentParser(prog="python -m jobs.checkup", description=__doc__)
    parser.add_argument("--url", default="", help="of the API; without one it is not looked at")
    url = parser.parse_args().url
    # What goes wrong is told in one line, by us.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    settings = load_settings_or_exit()
    faults = 0
    for finding in findings(settings, url):
        print(finding.line(), flush=True)  # noqa: T201  # a command's own output
        faults += not finding.is_sound
    raise SystemExit(1 if faults else 0)


def findings(settings: Settings, url: str) -> Iterator[Finding]:
    """Look at one thing after the other."""
    yield Finding("version", installed_version())
    database = Database(settings.database_url)
    try:
        found = check_database(database)
        yield found
        if (privacy := check_privacy(settings)) is not None:
            yield privacy
        if (clock := check_clock(database)) is not None:
            yield clock
        yield check_storage(settings, database)
        yield from check_disk(settings)
        yield check_redis(settings)
        if found.is_sound:
            yield from check_workers(database, settings)
    finally:
        database.close()
    if url:
        yield check_api(url.rstrip("/"))
    yield from check_ports(settings)


if __name__ == "__main__":
    main()
