"""What a dead process leaves behind: its leases, and the record of what it was at.

Whoever notices the death comes here, and a second time does no harm: the launcher at once, before
it fills the place again, and the next process of the name as it starts, in case the launcher died
too or could not reach the database.
"""

from collections.abc import Sequence

import structlog

from jobs.base.database import Database
from jobs.queue.quarantine import Suspect
from jobs.queue.shard_leases import take_back

log = structlog.get_logger(__name__)


def reclaim_leases_of_dead_process(
    database: Database, node: str, suspects: Sequence[Suspect], *, crashed: bool
) -> int:
    """End the leases of a process that is dead; gives their number.

    `suspects` are what its flight record names; they count if it `crashed`, died of itself and was
    not killed.
    """
    # A crash that names nobody accuses nobody.
    crashed = crashed and bool(suspects)
    count = take_back(database, node, crashed=crashed, suspects=suspects if crashed else ())
    if count:
        log.info("leases_taken_back", shards=count, node=node, crashed=crashed)
    return count
