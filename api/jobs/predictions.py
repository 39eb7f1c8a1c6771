"""One prediction, now: a job of one item that the caller waits for."""

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.bodies.admission import is_form
from api.bodies.kept_files import body_parts
from api.current import ground, link
from api.jobs.answers import accepted, once
from api.jobs.inline_items import read_input
from api.jobs.schemas import JobOptions, PredictionCreate, PredictionFields, PredictionForm
from api.jobs.submitting import checked, idempotency_of, requested_by
from api.jobs.views import JobView
from api.results.rows import PredictionView, prediction_json
from api.web.openapi import describe
from api.web.parsing import parse_json, read_body, validated
from api.web.waiting import Wait, hold, wanted_wait
from jobs.base.states import TERMINAL
from jobs.inputs.items import Upload
from jobs.intake.submission import Submission, submit
from jobs.results.rows import Cursor, read_page
from jobs.tables import Job

predictions = APIBlueprint("predictions", __name__, tag="Predictions")

_DEFAULT_WAIT_S = 10


@predictions.post("/v1/predictions")
@describe(
    predictions,
    {200: PredictionView, 202: JobView},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": PredictionCreate, "multipart/form-data": PredictionForm},
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
)
def predict() -> Response:
    """Predict for one image: 200 with the result, or 202 with the job if that takes longer.

    The answer is held for 10 s, or as `Prefer: wait=N` says. Either way the job is there
    afterwards, like any other.
    """
    job, is_new = _submit_form() if is_form() else _submit_json()
    wait = wanted_wait(_DEFAULT_WAIT_S)
    return hold(job.id, wait, lambda job, wait: _answer(job, wait, is_new=is_new))


def _answer(job: Job, wait: Wait, *, is_new: bool) -> Response:
    page = read_page(ground(), job, Cursor(), limit=1) if job.status in TERMINAL else None
    if page is None or not page.rows:
        return accepted(job, wait, is_new=is_new)
    row = prediction_json(job, page.rows[0])
    response = Response(row, content_type="application/json")
    response.headers.update(wait.headers)
    response.headers["Content-Location"] = link(f"/v1/jobs/{job.id}")
    return response


def _submit_json() -> tuple[Job, bool]:
    body, plain = read_body(PredictionCreate)
    idempotency = idempotency_of(plain)

    def submit_new() -> tuple[Job, bool]:
        submission = _checked(body.model, body.params)
        request = read_input(body.input, ground().settings.max_item_bytes)
        return submit(ground(), replace(submission, requests=(request,)), idempotency)

    return once(idempotency, submit_new)


def _submit_form() -> tuple[Job, bool]:
    parts = body_parts()
    file = parts.only("file", "the image")
    longest = ground().settings.max_json_bytes
    texts = {name: parts.named(name) for name in ("model", "params")}
    fields = {name: found[0].text(longest) for name, found in texts.items() if found}
    if "params" in fields:
        fields["params"] = parse_json(fields["params"], "The part `params`")
    body = validated(PredictionFields, fields)
    idempotency = idempotency_of(parts.digests())

    def submit_new() -> tuple[Job, bool]:
        upload = Upload(file.filename or "0", file.stream)
        submission = replace(_checked(body.model, body.params), uploads=(upload,))
        return submit(ground(), submission, idempotency)

    return once(idempotency, submit_new)


def _checked(model: str, params: dict[str, Any] | None) -> Submission:
    # Somebody waits for this one: it goes before the same tenant's batches.
    options = JobOptions(model=model, params=params, priority="high")
    return checked(options, requested_by(options, None))
