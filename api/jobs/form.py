"""A job that comes as multipart/form-data: images in `files`, the rest in `job`.

One archive or JSONL file alone is kept as an uploaded file, and the job runs on that.
"""

from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError

from api.bodies.kept_files import body_parts, keep_as_file
from api.bodies.parts import Part, Parts
from api.current import ground, tenant_id
from api.jobs.answers import once
from api.jobs.schemas import JobOptions
from api.jobs.submitting import checked, idempotency_key, idempotency_of, requested_by
from api.web.parsing import parse_json, validated
from jobs.aftercare.uploaded_files import delete_file
from jobs.archives import sniff_file
from jobs.base.errors import InvalidRequest
from jobs.inputs.budgets import fit_name
from jobs.inputs.items import Upload
from jobs.inputs.manifest_files import HEAD, is_meant_as_manifest
from jobs.intake.submission import Idempotency, Submission, submit
from jobs.tables import Job


@dataclass(frozen=True, slots=True)
class Form:
    """What came; `batch` is set instead of `images` when it is one archive or JSONL file."""

    options: JobOptions
    images: tuple[Upload, ...]
    batch: Part | None
    idempotency: Idempotency | None


def read_form() -> Form:
    """Read the parts of the body; raises what is wrong with them."""
    parts = body_parts()
    files = parts.named("files")
    job = parts.only("job", 'such as {"model": "digits"}, beside those called `files`')
    text = job.text(ground().settings.max_json_bytes)
    options = validated(JobOptions, parse_json(text, "The part `job`"))
    images = tuple(Upload(_name(part), part.stream) for part in files)
    batch = files[0] if len(files) == 1 and _is_batch(files[0]) else None
    return Form(options, () if batch else images, batch, _idempotency(parts))


def submission_of_form(form: Form) -> Submission:
    """Turn a form into a job to be stored, all but a batch file; raises what is wrong with it."""
    submission = checked(form.options, requested_by(form.options, None))
    return submission if form.batch else replace(submission, uploads=form.images)


def submit_form(form: Form) -> tuple[Job, bool]:
    """Store the job of a form; gives it, and False when it is that of an earlier request."""
    return once(form.idempotency, lambda: _submit_new(form))


def _submit_new(form: Form) -> tuple[Job, bool]:
    if form.batch is None:
        return submit(ground(), submission_of_form(form), form.idempotency)
    if form.options.model is not None:
        # Refused before gigabytes move; without a model only the file can tell.
        checked(form.options, requested_by(form.options, None))
    return _submit_batch(form, form.batch)


def _submit_batch(form: Form, batch: Part) -> tuple[Job, bool]:
    name = fit_name(batch.filename or "")
    file = keep_as_file(batch, name, "batch")
    is_kept = False
    try:
        submission = checked(form.options, requested_by(form.options, file))
        submission = replace(submission, input_file_id=file.id)
        job, is_kept = submit(ground(), submission, form.idempotency)
        return job, is_kept
    except DBAPIError as err:
        # When the connection broke during COMMIT the job may exist, and then needs its file.
        is_kept = err.connection_invalidated
        raise
    finally:
        # Refused, or a repetition whose first request brought the file already.
        if not is_kept:
            delete_file(ground(), tenant_id(), file.id)


def _name(part: Part) -> str:
    if not part.filename:
        raise InvalidRequest(
            "Each part called `files` needs a filename: it becomes the item's custom_id.",
            param="files",
        )
    return part.filename


def _is_batch(part: Part) -> bool:
    kind = sniff_file(part.stream)
    return kind != "other" or is_meant_as_manifest(part.head(HEAD), part.filename or "")


def _idempotency(parts: Parts) -> Idempotency | None:
    # Hashing gigabytes is for those who asked for it.
    return None if idempotency_key() is None else idempotency_of(parts.digests())
