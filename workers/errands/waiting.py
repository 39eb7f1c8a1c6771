"""Whether any errand waits: asked by who runs them, and by the sweeper, which sends hints."""

from typing import Any

from jobs.aftercare.comparison import COMPARISONS
from jobs.aftercare.evaluation import EVALUATIONS
from jobs.base.database import Database
from jobs.intake.preparation import PREPARATIONS
from jobs.leases.leased import Leased
from jobs.leases.leases import is_due
from jobs.outputs.leasing import OUTPUTS
from jobs.queue.webhooks import DELIVERIES
from jobs.uploads.finishing import FINISHINGS
from jobs.watches.looks import WATCHES

_ERRANDS: tuple[Leased[Any], ...] = (
    PREPARATIONS,
    DELIVERIES,
    FINISHINGS,
    WATCHES,
    OUTPUTS,
    COMPARISONS,
    EVALUATIONS,
)


def has_errand(database: Database) -> bool:
    """Say whether any errand waits; reads that disturb nobody."""
    return any(is_due(database, errand) for errand in _ERRANDS)
