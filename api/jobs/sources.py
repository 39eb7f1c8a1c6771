"""A bucket as the input of a job, checked before it is stored."""

from typing import Any

from api.current import buckets, ground, tenant_id
from api.jobs.schemas import JobCreate
from jobs.base.errors import InvalidRequest
from jobs.intake.bucket_items import check_source

_WITH_PREFIX = ("include", "exclude")
_WITH_BUCKET = (*_WITH_PREFIX, "connection")


def source_of(body: JobCreate) -> dict[str, Any] | None:
    """Give where in a bucket a job's items lie, as it is stored; None for any other input.

    Raises InvalidRequest for what does not go with it, or may not be named.
    """
    is_bucket = body.prefix is not None or body.manifest is not None
    for name in _WITH_BUCKET if not is_bucket else _WITH_PREFIX if body.prefix is None else ():
        if getattr(body, name) is not None:
            raise InvalidRequest(
                f"`{name}` goes with `prefix`, and `connection` with `manifest` too.", param=name
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
        for name in ("prefix", "manifest", *_WITH_BUCKET)
        if getattr(body, name) is not None
    }
    check_source(ground(), buckets(), tenant_id(), said)
    return said
