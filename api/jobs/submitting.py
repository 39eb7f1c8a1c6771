"""From a body that was read to a job that is stored.

    JSON: input_file_id, requests, urls ─┐
          prefix, manifest, archive      ┤
    multipart: one archive or JSONL ─────┼─► model, params, webhook checked ─► jobs.intake
               images ───────────────────┘

Whatever goes wrong on the way, nothing is stored: no answer but 202 leaves anything behind.
"""

from dataclasses import replace
from typing import Any

from flask import request

from api.current import buckets, ground, span, tenant_id
from api.jobs.inline_items import read_requests, read_urls
from api.jobs.schemas import (
    CommonOptions,
    EvaluationCreate,
    JobCreate,
    JobOptions,
    RerunCreate,
    Webhook,
)
from api.jobs.sources import source_of
from api.web.deadlines import cancel_after_s, seconds_to_run
from jobs.base.errors import InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.settings import Settings
from jobs.inputs.addresses import UrlNotAllowed, check_url
from jobs.inputs.files import get_file
from jobs.inputs.items import first_request
from jobs.intake.children import check_rerun
from jobs.intake.submission import Idempotency, Submission, fingerprint
from jobs.kinds.evaluation import EVALUATION
from jobs.kinds.rerun import RERUN
from jobs.outputs.places import check_output
from jobs.tables import File, Job, ModelVersion, Requested
from jobs.versions.names import shown_name
from jobs.versions.registry import Choice, choose, resolve
from models.catalog import ModelRecord, check_params, evaluated_params, inherited_params
from models.records.errors import ParamsError, TruthError

_LONGEST_KEY = 255
# An embedding has nothing to show.
DRAWN_TASKS = (
    "classification",
    "detection",
    "segmentation",
    "video-classification",
    "zero-shot-classification",
)
_INPUTS = ("input_file_id", "requests", "urls", "prefix", "manifest", "archive")


def submission_of(body: JobCreate) -> Submission:
    """Turn a JSON body into a job to be stored; raises what is wrong with it."""
    given = [name for name in _INPUTS if getattr(body, name) is not None]
    if len(given) != 1:
        found = f"here are {' and '.join(given)}" if given else "here is none"
        raise InvalidRequest(
            f"A job takes its items from exactly one of {', '.join(_INPUTS)}; {found}.",
            param=given[1] if given else "input_file_id",
        )
    if body.input_file_id is not None:
        file = find_file(body.input_file_id)
        return replace(checked(body, requested_by(body, file)), input_file_id=file.id)
    submission = checked(body, requested_by(body, None))
    source = source_of(body)
    if source is not None:
        return replace(submission, source=source)
    if body.urls is not None:
        return replace(submission, requests=read_urls(body.urls, _most_faults()))
    longest = ground().settings.max_item_bytes
    requests = read_requests(body.requests or [], _most_faults(), longest)
    return replace(submission, requests=requests)


def rerun_of(parent: Job, body: RerunCreate) -> Submission:
    """Turn a body into a job over the items of another; raises what is wrong with it."""
    params = Requested.read(parent.requested).params if body.params is None else body.params
    submission = checked(body, Requested(body.model, params))
    with ground().database.read() as session:
        check_rerun(session, parent, submission.model)
    kept = inherited_params(submission.model.task, parent.params)
    return replace(
        submission,
        params=submission.params | {name: kept[name] for name in kept.keys() - params.keys()},
        kind=RERUN.word,
        parent_id=parent.id,
        input_file_id=parent.input_file_id,
        source=parent.source,
    )


def evaluation_of(body: EvaluationCreate) -> Submission:
    """Turn a body into a job over labelled items; raises what is wrong with it.

    An alias stands for its own version, never for the canary that is tried behind it.
    """
    with ground().database.read() as session:
        version = resolve(session, body.model, tenant_id())
    name, task = f"{shown_name(version.name)}@{version.version}", version.task
    try:
        params = evaluated_params(task, body.params or {})
    except TruthError as err:
        raise InvalidRequest(f"{name} cannot be evaluated: {err}.", param="model") from err
    except ParamsError as err:
        raise InvalidRequest(str(err), param=f"params.{err.param}") from err
    if body.truth_file_id is not None:
        find_file(body.truth_file_id, "truth_file_id")
    elif task != "classification":
        raise InvalidRequest(
            f"{name} does {task}, and folders tell classes alone: upload a JSONL file that says "
            "what is true of each picture, and name it here.",
            param="truth_file_id",
        )
    submission = checked(body, Requested(body.model, params), Choice(version))
    file = find_file(body.input_file_id)
    return replace(submission, kind=EVALUATION.word, input_file_id=file.id)


def requested_by(options: JobOptions, file: File | None) -> Requested:
    """Say what a job is to run; in OpenAI's form its file says so, in the first line.

    Raises InvalidInput when that line, or the file, is at fault.
    """
    if options.model is not None:
        return Requested(options.model, options.params or {})
    first = first_request(ground(), file) if file is not None else None
    if first is None or first.model is None:
        where = "" if first is None else ", which the first line of this one does not"
        raise InvalidRequest(
            "`model` is missing: name one that GET /v1/models lists. It may be left out only when "
            f"input_file_id is a JSONL file whose every line names it in `body.model`{where}.",
            param="model",
        )
    if options.params is not None:
        return Requested(first.model, options.params)
    return Requested(first.model, first.params or {}, from_lines=True)


def checked(
    options: CommonOptions, requested: Requested, choice: Choice | None = None
) -> Submission:
    """Check all that a job says of itself; gives it without its items.

    It runs the version that its id chooses, unless there is a `choice`.
    """
    settings, job_id = ground().settings, new_id("job")
    if choice is None:
        with ground().database.read() as session:
            choice = choose(session, requested.model, tenant_id(), job_id)
    version, canary_id = choice
    return Submission(
        job_id=job_id,
        tenant_id=tenant_id(),
        model=version,
        canary_id=canary_id,
        params=_checked_params(version, requested.params),
        requested=requested.as_stored(),
        pool=settings.pool_for_jobs,
        priority=options.priority,
        metadata=options.metadata,
        webhook=checked_webhook(options.webhook, settings),
        output=_checked_output(options),
        completion_window=options.completion_window,
        completion_window_s=seconds_to_run(options.completion_window, settings.completion_window_s),
        output_expires_after=options.lifetime_s,
        delete_inputs=isinstance(options, JobOptions) and options.delete_inputs,
        overlays=_checked_overlays(options.overlays, version),
        gallery=options.gallery,
        traceparent=span().context,
    )


def find_file(file_id: str, param: str = "input_file_id") -> File:
    """Give one of the tenant's files; raises NotFound naming the member of the body."""
    with ground().database.read() as session:
        try:
            return get_file(session, tenant_id(), file_id)
        except NotFound as err:
            text = f"{err.message} Upload it with POST /v1/files first."
            raise NotFound(text, param=param) from err


def idempotency_key() -> str | None:
    """Read the Idempotency-Key; raises InvalidRequest when it cannot be stored."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= _LONGEST_KEY and key.isprintable()):
        raise InvalidRequest(
            f"The Idempotency-Key must have 1 to {_LONGEST_KEY} printable characters.",
            param="Idempotency-Key",
        )
    return key


def idempotency_of(*parts: object) -> Idempotency | None:
    """Say what a repetition of this request must have in common with it, if it has a key."""
    key = idempotency_key()
    if key is None:
        return None
    deadline = cancel_after_s()
    asked = parts if deadline is None else (*parts, {"Cancel-After": deadline})
    return Idempotency(key, fingerprint(request.path, *asked))


def _checked_params(version: ModelVersion, params: dict[str, Any]) -> dict[str, Any]:
    record = ModelRecord.from_json(version.record)
    try:
        return check_params(record.task, params, record.labels, record.preprocess)
    except ParamsError as err:
        raise InvalidRequest(str(err), param=f"params.{err.param}") from err


def _checked_overlays(wanted: bool, version: ModelVersion) -> bool:
    record = ModelRecord.from_json(version.record)
    if wanted and record.task not in DRAWN_TASKS:
        raise InvalidRequest(
            f"`overlays` cannot be had of {shown_name(version.name)}@{version.version}: drawn are "
            f"results of {', '.join(DRAWN_TASKS)}.",
            param="overlays",
        )
    return wanted


def _checked_output(options: CommonOptions) -> dict[str, Any] | None:
    output = options.wanted_output
    if output is not None:
        # Of jobs and watches; all others list no folder.
        prefix = getattr(options, "prefix", None)
        check_output(ground(), buckets(), tenant_id(), output, prefix)
    return output


def checked_webhook(webhook: Webhook | None, settings: Settings) -> dict[str, Any] | None:
    """Give a webhook as it is stored; raises InvalidRequest for a URL that may not be called."""
    if webhook is None:
        return None
    try:
        check_url(webhook.url, allow_networks=settings.egress_allow)
    except UrlNotAllowed as err:
        text = f"`webhook.url` is refused: {str(err).rstrip('.')}."
        raise InvalidRequest(text, param="webhook.url") from err
    return webhook.model_dump(exclude_none=True)


def _most_faults() -> int:
    return ground().settings.max_line_errors
