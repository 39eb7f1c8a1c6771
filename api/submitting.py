"""From a body that was read to a job that is stored.

    JSON: input_file_id, requests, urls ─┐
    multipart: files ── one archive ─────┼─► model and params checked ─► jobs.submission.submit
                    └── images ──────────┘

Whatever goes wrong on the way, nothing is stored: no answer but 202 leaves anything behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request

from api.current import ground, tenant_id
from api.schemas import JobOptions, Webhook, seconds_of
from jobs.addresses import UrlNotAllowed, check_url
from jobs.errors import InvalidInput, InvalidRequest, LineError, NotFound, UnknownModel
from jobs.files import get_file
from jobs.hints import CPU
from jobs.inputs import first_request
from jobs.requests import Request, RequestError, parse_request
from jobs.settings import Settings
from jobs.submission import Idempotency, Submission, fingerprint
from jobs.tables import File, ModelVersion
from jobs.versions import resolve
from models.catalog import ModelRecord, check_params
from models.errors import ParamsError

_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model and parameters in the caller's words."""

    model: str
    params: dict[str, Any]


def wanted_by(options: JobOptions, file: File | None) -> Wanted:
    """Say what a job is to run; in OpenAI's form its file says so, in the first line."""
    if options.model is not None:
        return Wanted(options.model, options.params or {})
    first = first_request(ground(), file) if file is not None else None
    if first is None or first.model is None:
        raise InvalidRequest(
            "`model` is missing: name one that GET /v1/models lists. It may be left out only when "
            "input_file_id is a JSONL file whose every line names it in `body.model`.",
            param="model",
        )
    return Wanted(first.model, first.params or {})


def plan(options: JobOptions, wanted: Wanted) -> Submission:
    """Check model and parameters and say what is to be stored, all but the items."""
    with ground().database.read() as session:
        version = resolve(session, wanted.model)
    return Submission(
        tenant_id=tenant_id(),
        model=version,
        params=_checked_params(version, wanted.params),
        requested={"model": wanted.model, "params": wanted.params},
        pool=CPU,
        priority=options.priority,
        metadata=options.metadata,
        webhook=_checked_webhook(options.webhook, ground().settings),
        completion_window=options.completion_window,
        completion_window_s=_window_s(options, ground().settings),
        output_expires_after=options.lifetime_s,
        delete_inputs=options.delete_inputs,
    )


def find_file(file_id: str) -> File:
    """Give one of the tenant's files; raises NotFound naming the member of the body."""
    with ground().database.read() as session:
        try:
            return get_file(session, tenant_id(), file_id)
        except NotFound as err:
            raise NotFound(
                f"{err.message} Upload it with POST /v1/files first.", param="input_file_id"
            ) from err


def read_requests(values: Sequence[object]) -> tuple[Request, ...]:
    """Read the items of a JSON body; raises InvalidInput with every one that is at fault."""
    faults: list[LineError] = []
    requests: list[Request] = []
    for index, value in enumerate(values):
        try:
            requests.append(parse_request(value, index))
        except RequestError as err:
            param = f"requests.{index}.{err.param}".rstrip(".")
            faults.append(_fault(f"Item {index + 1}: {err}", param, index + 1))
            if len(faults) >= ground().settings.max_line_errors:
                break
    if faults:
        first = faults[0]
        raise InvalidInput(first["message"], param=first["param"], lines=faults)
    return tuple(requests)


def requests_of_urls(urls: Sequence[str]) -> tuple[Request, ...]:
    """Make an item of each URL; its custom_id is its index."""
    return read_requests([{"input": {"url": url}} for url in urls])


def idempotency_of(*parts: object) -> Idempotency | None:
    """Read the Idempotency-Key; `parts` are what a repetition must have in common."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable():
        raise InvalidRequest(
            f"The Idempotency-Key must have 1 to {_LONGEST_KEY} printable characters, not "
            f"{len(key)}.",
            param="Idempotency-Key",
        )
    return Idempotency(key, fingerprint(request.path, *parts))


def with_items(submission: Submission, **items: Any) -> Submission:
    """Give the submission its items."""
    return replace(submission, **items)


def _checked_params(version: ModelVersion, params: dict[str, Any]) -> dict[str, Any]:
    record = ModelRecord.from_json(version.record)
    try:
        return check_params(record.task, params)
    except ParamsError as err:
        raise InvalidRequest(str(err), param=f"params.{err.param}") from err


def _checked_webhook(webhook: Webhook | None, settings: Settings) -> dict[str, Any] | None:
    if webhook is None:
        return None
    try:
        check_url(webhook.url, allow_networks=settings.egress_allow)
    except UrlNotAllowed as err:
        raise InvalidRequest(f"`webhook.url` is refused: {err}", param="webhook.url") from err
    return webhook.model_dump(exclude_none=True)


def _window_s(options: JobOptions, settings: Settings) -> float:
    window = options.completion_window
    return seconds_of(window) if window is not None else settings.completion_window_s


def _fault(message: str, param: str, line: int) -> LineError:
    return {"code": "invalid_request", "message": message, "param": param, "line": line}
