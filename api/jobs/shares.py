"""Links that show one job to whoever has them: made, listed, taken back."""

from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from flask import Response, jsonify
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.current import actor, ground, link, tenant_id
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.schemas import Strict, Whole
from api.web.views import Page, listed
from jobs.queue.reading import get_job
from jobs.tables import Share
from jobs.tenants.shares import (
    LONGEST_S,
    SHORTEST_S,
    create_share,
    list_shares,
    revoke_share,
    token_of,
)

shares = APIBlueprint("shares", __name__, tag="Jobs")

_WEEK_S = 7 * 86_400


class ShareCreate(Strict):
    """For how long a link is to show a job."""

    expires_in: Annotated[int, Whole(SHORTEST_S, LONGEST_S)] = Field(
        _WEEK_S, description="Seconds from now on."
    )


class ShareView(BaseModel):
    """A link that shows one job and its results, and nothing else, without a key."""

    id: str
    object: Literal["share"] = "share"
    job_id: str
    url: str | None = Field(
        description="A path of this server, to be put after its host; null once it shows nothing."
    )
    created_at: int
    expires_at: int
    revoked_at: int | None


class ShareList(Page[ShareView]):
    """The links of a job: those that are open first, of each the newest first."""


@shares.post("/<job_id>/shares")
@describe(
    shares,
    {201: ShareView},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": ShareCreate},
)
def share_job(job_id: str) -> Response:
    """Make a link that shows the job to whoever has it, until it expires or is revoked.

    It shows where the job stands, its failures, its results and their pictures, to be read alone;
    no address of an item, nothing that came beside it, and of an error its code and a fixed
    sentence. It ends, too, when the key that made it is revoked, or the job is deleted.
    """
    body, _ = read_body(ShareCreate)
    _check_job(job_id)
    row = create_share(ground().database, actor(), job_id, body.expires_in)
    with ground().database.read() as session:
        response = jsonify(share_view(session, row).model_dump(mode="json"))
    response.status_code = 201
    return response


@shares.get("/<job_id>/shares")
@describe(shares, {200: ShareList}, problems=(404,))
def get_shares(job_id: str) -> dict[str, Any]:
    """List fifty links that show a job: all that are open, then the newest that are over."""
    _check_job(job_id)
    with ground().database.read() as session:
        return listed([share_view(session, row) for row in list_shares(session, job_id)])


@shares.delete("/<job_id>/shares/<share_id>")
@describe(shares, {200: ShareView}, problems=(404,))
def revoke_one_share(job_id: str, share_id: str) -> dict[str, Any]:
    """Take a link back: it shows nothing any more. Repeating it is harmless."""
    _check_job(job_id)
    row = revoke_share(ground().database, actor(), job_id, share_id)
    with ground().database.read() as session:
        return share_view(session, row).model_dump(mode="json")


def share_view(session: Session, row: Share) -> ShareView:
    """Show a link."""
    token = token_of(session, row, ground().settings.connection_key)
    return ShareView(
        id=row.id,
        job_id=row.job_id,
        url=None if token is None else link(f"/shared/{token}"),
        created_at=int(row.created_at),
        expires_at=int(row.expires_at),
        revoked_at=None if row.revoked_at is None else int(row.revoked_at),
    )


def _check_job(job_id: str) -> None:
    with ground().database.read() as session:
        get_job(session, tenant_id(), job_id)
