"""A bucket as the input of a job, checked before it is stored."""

from typing import Any

from api.current import buckets, ground, tenant_id
from api.jobs.schemas import JobCreate
from jobs.base.errors import InvalidRequest
from jobs.intake.bucket_items import check_source

_IN_BUCKETS = ("prefix", "manifest", "archive")
_OF_FOLDERS = ("include", "exclude")
_WITH_BUCKET = (*_OF_FOLDERS, "connection")


def source_of(body: JobCreate) -> dict[str, Any] | None:
    """Give where in a bucket a job's items lie, as it is stored; None for any other input.

    Raises InvalidRequest for what does not go with it, or may not be named.
    """
    is_bucket = any(getattr(body, name) is not None for name in _IN_BUCKETS)
    is_folder = body.prefix is not None or (body.archive or "").endswith("/")
    for name in () if is_folder else _OF_FOLDERS if is_bucket else _WITH_BUCKET:
        if getattr(body, name) is not None:
            raise InvalidRequest(
                f"`{name}` goes with `prefix`, or an `archive` that is a folder and ends in /; "
                "`connection` with any bucket.",
                param=name,
            )
    if not is_bucket:
        return None
    if body.delete_inputs:
        raise InvalidRequest(
            "`delete_inputs` is for what was uploaded: Pixelmill never deletes from a bucket.",
            param="delete_inputs",
        )
    said = {
        name: getattr(body, name)
        for name in (*_IN_BUCKETS, *_WITH_BUCKET)
        if getattr(body, name) is not None
    }
    check_source(ground(), buckets(), tenant_id(), said)
    return said
