"""The answers that tell of a job: 200, 202 and 304, with their headers."""

import hashlib
import json
from collections.abc import Callable

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from api.current import buckets, ground, link, tenant_id
from api.jobs.views import DryRun, JobView, Kind, ModelRef, Skipped, job_view
from api.web.waiting import Wait, hold, wanted_wait
from jobs.base.states import TERMINAL
from jobs.inputs.skipping import NOTHING
from jobs.intake.bucket_items import Counted, count_source
from jobs.intake.submission import Idempotency, Submission, find_earlier, rehearse
from jobs.outputs.telling import read_output
from jobs.queue.forecast import Cost, Prospect, expected, forecast
from jobs.tables import Job
from jobs.versions.names import shown_name

# When to look again, in seconds: sooner for a job that is nearly done.
_SOONEST_S, _LATEST_S = 1, 10


def view_of(session: Session, job: Job) -> JobView:
    """Show a job under the name that the caller used: a job, or OpenAI's batch."""
    return job_view(job, kind_of_view(), forecast(session, job), read_output(session, job))


def shown(job: Job, wait: Wait | None = None) -> Response:
    """Answer 200 with a job, or 304 when the caller has seen it like this."""
    response = _answer(job, 200, wait)
    etag, _ = response.get_etag()
    if etag is not None and request.if_none_match.contains_weak(etag):
        response.status_code = 304
        response.set_data(b"")
    return response


def accepted(job: Job, wait: Wait, *, is_new: bool) -> Response:
    """Answer 202 with a job, and say whether it is that of an earlier request."""
    response = _answer(job, 202, wait)
    response.headers["Location"] = location(job)
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def accepted_after_wait(job: Job, *, is_new: bool) -> Response:
    """Answer 202 with a job, once it is over if the caller prefers to wait for that."""
    wait = wanted_wait()
    if not wait.seconds:
        return accepted(job, wait, is_new=is_new)
    return hold(job.id, wait, lambda job, wait: accepted(job, wait, is_new=is_new))


def once(
    idempotency: Idempotency | None, submit: Callable[[], tuple[Job, bool]]
) -> tuple[Job, bool]:
    """Give the job of an earlier, equal request and False, or else what `submit` gives.

    It is asked before anything is checked or stored: the first answer holds, whatever was changed
    since. `submit` gives the job, and False when an equal request came first after all.
    """
    earlier = find_earlier(ground(), tenant_id(), idempotency)
    return submit() if earlier is None else (earlier, False)


def accepted_once(
    idempotency: Idempotency | None, submit: Callable[[], tuple[Job, bool]]
) -> Response:
    """Answer 202 with the job of an earlier, equal request, or else with what `submit` stores."""
    job, is_new = once(idempotency, submit)
    return accepted_after_wait(job, is_new=is_new)


def rehearsed(submission: Submission) -> Response:
    """Answer 200 with what a submission would have run."""
    model = submission.model
    counted = (
        count_source(ground(), buckets(), submission.tenant_id, submission.source)
        if submission.source is not None
        else Counted(rehearse(ground(), submission), None)
    )
    cost = _cost_of(submission, counted.total)
    view = DryRun(
        model=ModelRef(name=shown_name(model.name), version=model.version, digest=model.digest),
        params=submission.params,
        total=counted.total,
        # Every item that comes inside a request is run: there are no files around them.
        skipped=None if counted.total is None else Skipped(**(counted.skipped or NOTHING)),
        device_seconds=None if cost.device_s is None else round(cost.device_s, 3),
        eta_seconds=None if cost.eta_s is None else round(cost.eta_s),
    )
    return jsonify(view.model_dump(mode="json"))


def _cost_of(submission: Submission, items: int | None) -> Cost:
    if items is None:
        return Cost(None, None)
    model = submission.model
    prospect = Prospect(
        submission.tenant_id, submission.pool, model.name, model.version, submission.priority
    )
    with ground().database.read() as session:
        return expected(session, prospect, items)


def location(job: Job) -> str:
    """Give the path of a job under the name that the caller used."""
    return link(f"/v1/{'batches' if kind_of_view() == 'batch' else 'jobs'}/{job.id}")


def _answer(job: Job, status: int, wait: Wait | None) -> Response:
    with ground().database.read() as session:
        view = view_of(session, job)
    response = jsonify(view.model_dump(mode="json"))
    response.status_code = status
    response.set_etag(_digest(view), weak=True)
    response.headers.update(wait.headers if wait else {})
    if job.status not in TERMINAL:
        response.headers["Retry-After"] = str(_look_again_s(view))
    return response


def _digest(view: JobView) -> str:
    """Name a state of a job; the estimate is left out, for it changes while nothing happens."""
    seen = view.model_dump(mode="json", exclude={"queue": {"eta_seconds"}})
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]


def _look_again_s(view: JobView) -> int:
    eta = view.queue.eta_seconds
    return _SOONEST_S if eta is None else max(_SOONEST_S, min(eta // 10, _LATEST_S))


def kind_of_view() -> Kind:
    """Say under which name the caller asks."""
    return "batch" if (request.blueprint or "").startswith("batches") else "job"
