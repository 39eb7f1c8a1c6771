"""What a caller submitted: the kind that every other is told apart from."""

from sqlalchemy.orm import Session

from jobs.base.states import JobKind
from jobs.kinds.kind import Kind
from jobs.kinds.shadow import cast_shadow
from jobs.tables import Job


class _Submitted(Kind):
    word = JobKind.SUBMITTED

    def end(self, session: Session, job: Job) -> None:
        """Insert a shadow, where a version is on trial in that of the job's alias."""
        cast_shadow(session, job)


SUBMITTED = _Submitted()
