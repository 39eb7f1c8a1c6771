"""Each thing that happens to a job takes its tenant's next number, in the transaction that does it.

    created ──► begun ──► ended ──► deleted
                           └── completed, failed, cancelled or expired

There is no table of events: the numbers stand in the job's own row, beside the times (decision 15).
The tenant's row is locked from the taking of a number to the end of the transaction. So numbers
become visible in their order, and whoever has seen one has every lower one behind it.
"""

from enum import StrEnum

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from jobs.kinds.table import kind_of
from jobs.tables import Job, Table

_tenants = Table.metadata.tables["tenants"]

# Built once, like the statements of jobs.queue: every submission and every end of a job runs it.
_TAKE_NUMBERS = (
    update(_tenants)
    .where(_tenants.c.id == bindparam("of_tenant"))
    .values(events=_tenants.c.events + bindparam("more"))
    .returning(_tenants.c.events)
)


class Moment(StrEnum):
    """What can happen to a job, each once."""

    CREATED = "created"
    BEGUN = "begun"
    ENDED = "ended"
    DELETED = "deleted"


def number_events(session: Session, job: Job, *moments: Moment) -> None:
    """Number what happens to a job in this transaction, in the order given.

    Tenants are locked after everything else (decision 3): call it when no other lock follows.
    What is of nobody's concern has no number: nobody but an operator sees a trial.
    """
    if kind_of(job).is_trial:
        return
    taken = {"of_tenant": job.tenant_id, "more": len(moments)}
    last = session.connection().scalar(_TAKE_NUMBERS, taken) or 0
    for number, moment in enumerate(moments, last - len(moments) + 1):
        setattr(job, f"{moment}_event", number)
    job.last_event = last
