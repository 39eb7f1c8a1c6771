"""Work on one row after the other, whoever dies or is late at it."""

from collections.abc import Callable

import structlog

from jobs.base.bootstrap import Ground
from jobs.base.storage import StorageError
from jobs.leases.leased import Leased, Row
from jobs.leases.leases import Lease, LeaseLost, hand_back, lease_next

log = structlog.get_logger(__name__)


def work_on_next(
    ground: Ground, leased: Leased[Row], work: Callable[[Lease[Row]], None]
) -> Lease[Row] | None:
    """Lease the row that has waited for longest and work on it; None when none waits.

    `work` ends the row under its fence, and raises LeaseLost when it was lost. Raises StorageError
    when the store is away: the row is then handed back, to be tried again after a pause.
    """
    lease = lease_next(ground, leased)
    if lease is None:
        return None
    try:
        work(lease)
    except LeaseLost:
        log.info(f"{leased.name}_lost", key=lease.key)
    except StorageError:
        hand_back(ground, lease)
        raise
    return lease
