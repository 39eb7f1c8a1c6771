"""Links that show one job to whoever has them, until a time, and can be taken back.

    <share's id>.<signature>

The signature is of the row's id, job and end, in the name of the API key that made it
(jobs.tenants.derived_keys): a link cannot be guessed, nor lengthened, and ends with that key. What
it is signed with is kept nowhere, so the links of a job can be shown again to its tenant
(docs/decisions/0021-a-link-shows-one-job.md).
"""

import time

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict, NotFound
from jobs.base.ids import new_id
from jobs.tables import Job, Share
from jobs.tenants.audit import Actor, write_entry
from jobs.tenants.derived_keys import derive, key_that_signed, signature
from jobs.tenants.keys import find_key

SHORTEST_S, LONGEST_S = 60, 30 * 86_400
# Of one job, so that nobody's list grows without end.
MOST_OF_A_JOB = 50

_LONGEST = 200


def create_share(database: Database, actor: Actor, job_id: str, lasts_s: float) -> Share:
    """Store a link that shows a job; whoever asks must have found the job to be the tenant's.

    Raises Conflict where so many links show it already.
    """
    with database.write() as session:
        now = session.scalar(select(db_now())) or 0.0
        is_open = Share.revoked_at.is_(None), Share.expires_at > now
        count = select(func.count()).where(Share.job_id == job_id, *is_open)
        if (session.scalar(count) or 0) >= MOST_OF_A_JOB:
            raise Conflict(f"{MOST_OF_A_JOB} links show job {job_id!r} already: revoke some first.")
        row = Share(
            id=new_id("shr"),
            job_id=job_id,
            key_id=actor.who,
            created_at=now,
            expires_at=float(int(now + lasts_s)),
            revoked_at=None,
        )
        session.add(row)
        write_entry(
            session, actor, "share.created", row.id, job_id=job_id, expires_at=row.expires_at
        )
    return row


def list_shares(session: Session, job_id: str) -> list[Share]:
    """Give the links of a job, those that are over as well: open ones first, then the newest.

    There is room for all that are open, so each of them can be taken back.
    """
    is_open = and_(Share.revoked_at.is_(None), Share.expires_at > db_now())
    query = select(Share).where(Share.job_id == job_id).order_by(is_open.desc(), Share.id.desc())
    return list(session.scalars(query.limit(MOST_OF_A_JOB)))


def revoke_share(database: Database, actor: Actor, job_id: str, share_id: str) -> Share:
    """Take a link back, from now on; raises NotFound. Repeating it is harmless."""
    with database.write() as session:
        row = session.get(Share, share_id)
        if row is None or row.job_id != job_id:
            raise NotFound(f"Job {job_id!r} has no link {share_id!r}.")
        if row.revoked_at is None:
            row.revoked_at = session.scalar(select(db_now()))
            write_entry(session, actor, "share.revoked", row.id, job_id=job_id)
    return row


def token_of(session: Session, row: Share, operators_keys: tuple[str, ...]) -> str | None:
    """Give what stands in the link; None once it shows nothing any more."""
    if not _is_good(session, row):
        return None
    return f"{row.id}.{signature(_keys(session, row, operators_keys)[0], _said(row))}"


def open_share(session: Session, token: str, operators_keys: tuple[str, ...]) -> tuple[Share, str]:
    """Give the link of a token and the tenant of its job.

    Raises NotFound, in the same words whatever is the reason: nobody learns which ids exist.
    """
    share_id, _, given = token.partition(".")
    row = session.get(Share, share_id) if len(token) <= _LONGEST and token.isascii() else None
    gone = NotFound("This link shows nothing, or not any more. Ask whoever gave it to you.")
    if row is None:
        raise gone
    if key_that_signed(_keys(session, row, operators_keys), _said(row), given) is None:
        raise gone
    tenant_id = session.scalar(select(Job.tenant_id).where(Job.id == row.job_id))
    if tenant_id is None or not _is_good(session, row):
        raise gone
    return row, tenant_id


def _keys(session: Session, row: Share, operators_keys: tuple[str, ...]) -> list[bytes]:
    return derive(find_key(session, row.key_id), "share", operators_keys)


def _said(row: Share) -> str:
    return f"{row.id}.{row.job_id}.{row.expires_at:.0f}"


def _is_good(session: Session, row: Share) -> bool:
    key = find_key(session, row.key_id)
    is_over = row.revoked_at is not None or row.expires_at <= time.time()
    return not is_over and key is not None and key.revoked_at is None
