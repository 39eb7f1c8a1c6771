"""Items that lie in buckets of others: checked at submission, listed by an io worker, counted.

What a job keeps of it (`Job.source`) names no secret: an address, globs, and a connection's id.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput, InvalidRequest
from jobs.buckets.connections import find_connection
from jobs.buckets.errors import BucketError
from jobs.buckets.listing import input_of, items_of_prefix
from jobs.buckets.locations import LocationError, read_location
from jobs.buckets.sources import Buckets, Owner
from jobs.inputs.manifests import Item, Repeats
from jobs.inputs.skipping import Skips
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
        buckets.bucket(_owner(tenant_id, source), location)
    except LocationError as err:
        raise InvalidRequest(str(err), param=param) from err
    except BucketError as err:
        raise input_of(err, param) from err


def items_of_source(
    ground: Ground, buckets: Buckets | None, job: Job, skips: Skips, beat: Callable[[], None]
) -> tuple[Iterator[Item], Repeats]:
    """Give a job's items and what becomes of names that repeat.

    The items raise InvalidInput, whose cause is a BucketError where a store is to blame.
    """
    source = dict(job.source or {})
    return _listed(ground, buckets, job.tenant_id, source, skips, beat), "told_apart"


def count_source(
    ground: Ground, buckets: Buckets, tenant_id: str, source: dict[str, Any]
) -> Counted:
    """List a source without keeping it; raises InvalidInput as its job would."""
    skips, until = Skips(), time.monotonic() + _COUNTED_S

    def beat() -> None:
        if time.monotonic() > until:
            raise TimeoutError

    total = 0
    try:
        for _ in _listed(ground, buckets, tenant_id, source, skips, beat):
            total += 1
            if total > ground.settings.max_items:
                break
    except TimeoutError:
        return Counted(None, None)
    return Counted(total, skips.to_json())


def _listed(
    ground: Ground,
    buckets: Buckets | None,
    tenant_id: str,
    source: dict[str, Any],
    skips: Skips,
    beat: Callable[[], None],
) -> Iterator[Item]:
    if buckets is None:
        own = Buckets(ground)
        try:
            yield from _listed(ground, own, tenant_id, source, skips, beat)
        finally:
            own.close()
        return
    param = _param_of(source)
    try:
        yield from items_of_prefix(buckets, _owner(tenant_id, source), source, skips, beat)
    except LocationError as err:
        raise InvalidInput(str(err), code="unreadable_key", param=param) from err
    except BucketError as err:
        raise input_of(err, param) from err


def _owner(tenant_id: str, source: dict[str, Any]) -> Owner:
    return Owner(tenant_id, source.get("connection") or "")


def _param_of(source: dict[str, Any]) -> str:
    return "prefix" if "prefix" in source else "manifest"
