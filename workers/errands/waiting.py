"""Whether any errand waits: asked by who runs them, and by the sweeper, which sends hints."""

from jobs.aftercare.comparison import has_uncompared
from jobs.aftercare.evaluation import has_unevaluated
from jobs.base.database import Database
from jobs.intake.preparation import has_unprepared
from jobs.queue.webhooks import has_due

_QUESTIONS = (has_unprepared, has_due, has_uncompared, has_unevaluated)


def has_errand(database: Database) -> bool:
    """Say whether any errand waits; reads that disturb nobody."""
    return any(waits(database) for waits in _QUESTIONS)
