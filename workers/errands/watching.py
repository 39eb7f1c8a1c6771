"""Looks at watched folders, and says what job comes of what is new there: an errand.

A watch pins nothing of its model: each job runs the version that its reference names by then, and
its parameters are checked against that one, as those of any submission.
"""

from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidRequest
from jobs.base.ids import new_id
from jobs.buckets.sources import Buckets
from jobs.intake.submission import Submission
from jobs.tables import ModelVersion, Requested, Watch
from jobs.versions.registry import choose
from jobs.watches.polling import look_next
from models.catalog import ModelRecord, check_params
from models.records.errors import ParamsError


def watch_next(ground: Ground, buckets: Buckets) -> bool:
    """Look at the folder that is due for longest; False when none is due.

    Raises StorageError when the store is away: the folder is looked at again after a pause.
    """
    return look_next(ground, buckets, lambda watch: order_of(ground, watch)) is not None


def order_of(ground: Ground, watch: Watch) -> Submission:
    """Give a job of a watch without its items; raises PixelmillError when it would be refused."""
    job_id, requested = new_id("job"), Requested.read(watch.requested)
    with ground.database.read() as session:
        version, canary_id = choose(session, requested.model, watch.tenant_id, job_id)
    return Submission(
        job_id=job_id,
        tenant_id=watch.tenant_id,
        model=version,
        canary_id=canary_id,
        params=_checked_params(version, requested.params),
        requested=watch.requested,
        pool=ground.settings.pool_for_jobs,
        source=watch.source,
        watch_id=watch.id,
        **watch.options,
    )


def _checked_params(version: ModelVersion, params: dict[str, Any]) -> dict[str, Any]:
    record = ModelRecord.from_json(version.record)
    try:
        return check_params(record.task, params, record.labels, record.preprocess)
    except ParamsError as err:
        raise InvalidRequest(str(err), param=f"params.{err.param}") from err
