"""The calls about one job, as the client and its parts make them."""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pixelmill.client.records import Job
from pixelmill.wire.transport import Call


def job_path(job: str | Job) -> str:
    """Give the path of a job."""
    # Quoted: what somebody typed as an id must not reach another call.
    return "/v1/jobs/" + quote(job if isinstance(job, str) else job.id, safe="")


def results_path(job: str | Job) -> str:
    """Give the path of a job's results."""
    return job_path(job) + "/results"


def create(
    path: str, body: Mapping[str, Any] | None, key: str | None, hold_s: float | None = None
) -> Call:
    """Give the call that makes a job; members of `body` that are None are left out."""
    # With a key the server answers a repetition with the first one's job, so repeating is safe.
    return Call(
        "POST",
        path,
        json=body and {name: value for name, value in body.items() if value is not None},
        headers={"Idempotency-Key": key or str(uuid.uuid4())},
        repeatable=True,
        hold_s=hold_s,
    )
