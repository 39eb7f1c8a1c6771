"""The kinds that there are: a new one is a file beside this one, a line here, and its word.

The words stand with the states, in `jobs.base.states`.
"""

from collections.abc import Callable

from jobs.base.states import JobKind
from jobs.kinds.evaluation import EVALUATION
from jobs.kinds.kind import Kind
from jobs.kinds.rerun import RERUN
from jobs.kinds.retry import RETRY
from jobs.kinds.shadow import SHADOW
from jobs.kinds.submitted import SUBMITTED
from jobs.kinds.training import TRAINING
from jobs.tables import Job

_KINDS = (
    SUBMITTED,
    RERUN,
    RETRY,
    SHADOW,
    TRAINING,
    EVALUATION,
)

KINDS: dict[JobKind, Kind] = {kind.word: kind for kind in _KINDS}


def kind_of(job: Job) -> Kind:
    """Give the kind of a job."""
    return KINDS[job.kind]


def words_of(which: Callable[[Kind], bool]) -> list[JobKind]:
    """Give the words of the kinds of which `which` holds, for statements."""
    return [word for word, kind in KINDS.items() if which(kind)]
