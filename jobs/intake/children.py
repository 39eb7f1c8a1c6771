"""Child jobs: items of another job once more.

    POST …/rerun   every item, on another version for the same task; then compared with its parent
    POST …/retry   the items that failed, were cancelled or expired, on the same version
    shadow         a sample of the items, for the operator's figures alone (jobs.kinds.shadow)

An io worker prepares a child from its parent's manifest. The child gets a manifest of its own, and
its items point at the blobs that the parent's do. These are never kept for a child's sake: when
the parent is deleted or its time is over they go, and items of a child that have not run by then
are errored `input_missing`.
"""

from collections.abc import Callable, Iterator

import numpy as np
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, InvalidInput, InvalidRequest, NotFound
from jobs.base.states import TERMINAL, JobStatus
from jobs.base.storage import BlobMissing
from jobs.inputs.manifests import ROW_GROUP, Item, Manifest
from jobs.intake.submission import Submission
from jobs.kinds.kind import Wanted
from jobs.kinds.retry import RETRY
from jobs.kinds.table import kind_of
from jobs.tables import File, Job, ModelVersion
from jobs.versions.registry import read_version


def check_rerun(session: Session, parent: Job, version: ModelVersion) -> None:
    """Refuse what cannot be run again; raises Conflict, and InvalidRequest for another task."""
    _check_inputs(session, parent)
    task = read_version(session, parent.model_name, parent.model_version).task
    if version.task != task:
        raise InvalidRequest(
            f"`model` does {version.task}, but job {parent.id} was {task}: name a "
            "version for the same task, so that the answers can be compared.",
            param="model",
        )


def retry_of(session: Session, parent: Job) -> Submission:
    """Give the job that runs the items once more that have no result; raises Conflict."""
    if parent.status not in TERMINAL:
        raise Conflict(
            f"Job {parent.id} is {parent.status}: it can be retried when it is over. Wait for it, "
            "or cancel it."
        )
    if not parent.failed + parent.cancelled + parent.expired and parent.total:
        raise Conflict(f"Every item of job {parent.id} succeeded: there is nothing to retry.")
    _check_inputs(session, parent)
    return Submission(
        tenant_id=parent.tenant_id,
        model=read_version(session, parent.model_name, parent.model_version),
        params=parent.params,
        requested=parent.requested,
        pool=parent.pool,
        input_file_id=parent.input_file_id,
        source=parent.source,
        priority=parent.priority,
        metadata=parent.metadata_,
        webhook=parent.webhook,
        output=parent.output,
        completion_window=parent.completion_window,
        completion_window_s=parent.expires_at - parent.created_at,
        output_expires_after=parent.output_expires_after,
        overlays=parent.overlays,
        gallery=parent.gallery,
        kind=RETRY.word,
        parent_id=parent.id,
    )


def items_of_parent(ground: Ground, job: Job, beat: Callable[[], None]) -> Iterator[Item]:
    """Give the items of a child in their parent's order.

    Raises NotFound when they were erased meanwhile, and InvalidInput when they may not be run.
    """
    with ground.database.read() as session:
        parent = session.get_one(Job, job.parent_id)
        version = session.get_one(ModelVersion, (parent.model_name, parent.model_version))
    if parent.manifest is None:
        raise NotFound(f"Job {parent.id}, whose items were to be run, was deleted.")
    kind = kind_of(job)
    try:
        for item in _chosen(ground, parent, kind.wanted(ground, job, parent, version, beat)):
            if item.url and not kind.may_fetch:
                raise InvalidInput(f"A {kind.word} fetches nothing: owners of URLs would see it.")
            yield item
    except BlobMissing as err:
        message = f"The inputs of job {parent.id} were erased before they could be listed again."
        raise NotFound(message) from err


def _check_inputs(session: Session, parent: Job) -> None:
    """Refuse a job whose inputs are gone, or are to go; raises Conflict saying why."""
    if parent.status is JobStatus.VALIDATING:
        raise Conflict(
            f"The items of job {parent.id} are still being listed. Try again when it is "
            "in_progress."
        )
    if parent.deleted_at is None and parent.manifest is None:
        raise Conflict(f"Job {parent.id} has no items: there is nothing to run again.")
    again = "Submit them again."
    if parent.delete_inputs:
        raise Conflict(
            f"The inputs of job {parent.id} are erased, as its `delete_inputs` asked. {again}"
        )
    file_id = parent.input_file_id
    if file_id is not None and session.get(File, file_id) is None:
        raise Conflict(f"The input file {file_id} of job {parent.id} was deleted. {again}")
    ancestor: Job | None = parent
    while ancestor is not None:
        # What came in the request that made the first of them lies with that one.
        if ancestor.outputs_erased_at is not None or ancestor.deleted_at is not None:
            raise Conflict(
                f"The inputs of job {parent.id} were erased with job {ancestor.id}, which was "
                f"deleted or whose time was over. {again}"
            )
        ancestor = session.get(Job, ancestor.parent_id) if ancestor.parent_id else None


def _chosen(ground: Ground, parent: Job, wanted: Wanted) -> Iterator[Item]:
    manifest = Manifest(ground.storage, parent.manifest or "")
    for first in range(0, parent.total, ROW_GROUP):
        places = np.flatnonzero(wanted[first : first + ROW_GROUP])
        if len(places):
            items = manifest.items(first, min(ROW_GROUP, parent.total - first))
            yield from (items[place] for place in places)
