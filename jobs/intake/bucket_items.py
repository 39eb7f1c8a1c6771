"""Items that lie in buckets of others: checked at submission, listed by an io worker, counted.

What a job keeps of it (`Job.source`) names no secret: an address, globs, and a connection's id.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput, InvalidRequest
from jobs.buckets.connections import find_connection
from jobs.buckets.errors import BucketError
from jobs.buckets.listing import input_of, items_of_prefix
from jobs.buckets.lists import SUFFIXES, items_of_list, names_its_items
from jobs.buckets.locations import LocationError, read_location
from jobs.buckets.sources import Buckets, NoTables, Owner
from jobs.inputs.archive_items import Walk
from jobs.inputs.manifests import Item, Repeats
from jobs.inputs.skipping import Skips
from jobs.intake.bucket_archives import items_of_archives
from jobs.tables import Job

# How long a caller of `dry_run` waits for a count.
_COUNTED_S = 20.0


@dataclass(frozen=True, slots=True)
class Counted:
    """How many items a source has, and what becomes none; None where that takes too long."""

    total: int | None
    skipped: dict[str, Any] | None


def check_source(ground: Ground, buckets: Buckets, tenant_id: str, source: dict[str, Any]) -> None:
    """Refuse what its tenant may not name; nothing is asked of a store.

    `source` is as a job keeps it, and its connection becomes an id. Raises InvalidInput, and
    NotFound for a connection that is not there.
    """
    param = _param_of(source)
    if source.get("connection"):
        with ground.database.read() as session:
            source["connection"] = find_connection(session, tenant_id, source["connection"]).id
    try:
        location = read_location(source[param])
        if param == "manifest" and not str(location).lower().endswith(SUFFIXES):
            raise LocationError(f"{location} is no list: its name ends in {', '.join(SUFFIXES)}.")
        if param == "archive" and not location.parts:
            raise LocationError(
                f"{location} is a whole bucket; name an archive, or a folder/ in it."
            )
        buckets.bucket(_owner(tenant_id, source), location)
    except LocationError as err:
        raise InvalidRequest(str(err), param=param) from err
    except BucketError as err:
        raise input_of(err, param) from err


def items_of_source(
    buckets: Buckets | None, job: Job, walk: Walk
) -> tuple[Iterator[Item], Repeats]:
    """Give a job's items and what becomes of names that repeat.

    The items raise InvalidInput, whose cause is a BucketError where a store is to blame.
    """
    source, ground = dict(job.source or {}), walk.ground
    if "archive" in source:
        return _walk_archives(buckets, job.tenant_id, source, walk), "told_apart"
    items = list_source(ground, buckets, job.tenant_id, source, walk.skips, walk.beat)
    if "manifest" not in source:
        return items, "told_apart"
    with _opened(ground, buckets) as opened, _told("manifest"):
        named = names_its_items(opened, _owner(job.tenant_id, source), source)
    return items, "refused" if named else "told_apart"


def count_source(
    ground: Ground, buckets: Buckets, tenant_id: str, source: dict[str, Any]
) -> Counted:
    """List a source without keeping it; raises InvalidInput as its job would.

    What is in archives, and in lists that are Parquet files, is known to io workers alone.
    """
    if "archive" in source:
        return Counted(None, None)
    skips, until = Skips(), time.monotonic() + _COUNTED_S

    def beat() -> None:
        if time.monotonic() > until:
            raise TimeoutError

    total = 0
    try:
        for _ in list_source(ground, buckets, tenant_id, source, skips, beat):
            total += 1
            if total > ground.settings.max_items:
                break
    except (TimeoutError, NoTables):
        return Counted(None, None)
    return Counted(total, skips.to_json())


def list_source(
    ground: Ground,
    buckets: Buckets | None,
    tenant_id: str,
    source: dict[str, Any],
    skips: Skips,
    beat: Callable[[], None],
) -> Iterator[Item]:
    """Give the items of a folder or list as they are found; raises as `items_of_source`."""
    owner, param = _owner(tenant_id, source), _param_of(source)
    with _opened(ground, buckets) as opened, _told(param):
        if param == "prefix":
            yield from items_of_prefix(opened, owner, source, skips, beat)
        else:
            most_faults = ground.settings.max_line_errors
            yield from items_of_list(opened, owner, source, most_faults, beat)


def _walk_archives(
    buckets: Buckets | None, tenant_id: str, source: dict[str, Any], walk: Walk
) -> Iterator[Item]:
    with _opened(walk.ground, buckets) as opened, _told("archive"):
        yield from items_of_archives(walk, opened, _owner(tenant_id, source), source)


@contextmanager
def _opened(ground: Ground, buckets: Buckets | None) -> Iterator[Buckets]:
    """Give the way to buckets, or one of its own where there is none yet."""
    if buckets is not None:
        yield buckets
        return
    own = Buckets(ground)
    try:
        yield own
    finally:
        own.close()


@contextmanager
def _told(param: str) -> Iterator[None]:
    try:
        yield
    except LocationError as err:
        raise InvalidInput(str(err), code="unreadable_key", param=param) from err
    except BucketError as err:
        raise input_of(err, param) from err


def _owner(tenant_id: str, source: dict[str, Any]) -> Owner:
    return Owner(tenant_id, source.get("connection") or "")


def _param_of(source: dict[str, Any]) -> str:
    return next(name for name in ("prefix", "manifest", "archive") if name in source)
