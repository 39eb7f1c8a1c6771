"""Sessions of browsers: a token that stands for the key that it was made with, for some hours.

    <key id>.<ends at>.<nonce>.<signature>

It is signed in the name of its key (jobs.tenants.derived_keys): every process can check it, and a
restart ends none. It is good while the key is: whoever revokes the key ends its sessions
(docs/decisions/0016-a-session-is-signed-with-its-key.md). Only one that was ended before its time
is stored, so that it is over for whoever has a copy of the token, and for streams that it opened.
"""

import secrets
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.base.database import Database
from jobs.base.errors import Unauthenticated
from jobs.tables import EndedSession
from jobs.tenants.derived_keys import derive, key_that_signed, signature
from jobs.tenants.keys import Caller, find_key, read_key

# Long enough for a day's work, short enough for a browser that was left open.
LASTS_S = 12 * 3600

_LONGEST = 300


class Visit(NamedTuple):
    """One session: its nonce, and when it is over at the latest (Unix time)."""

    nonce: str
    ends_at: float


class SignedIn(NamedTuple):
    """Whose session it is, and what a form that is sent in it must bring along."""

    caller: Caller
    form_token: str
    visit: Visit


def begin_session(session: Session, key: str, now: float, operators_keys: tuple[str, ...]) -> str:
    """Give the token of a new session; raises Unauthenticated when the key is not good."""
    key_id = read_key(session, key).key_id
    head = f"{key_id}.{int(now) + LASTS_S}.{secrets.token_hex(16)}"
    signing_key = derive(find_key(session, key_id), "session", operators_keys)[0]
    return f"{head}.{signature(signing_key, head)}"


def read_session(
    session: Session, token: str, now: float, operators_keys: tuple[str, ...]
) -> SignedIn:
    """Say whose session it is; raises Unauthenticated when it has ended, or never was one."""
    head, _, given = token.rpartition(".")
    key_id, _, rest = head.partition(".")
    ends_at, _, nonce = rest.partition(".")
    if len(token) > _LONGEST or not token.isascii() or not ends_at.isdecimal():
        raise Unauthenticated("This session cannot be read. Sign in again.")
    row = find_key(session, key_id)
    signing_key = key_that_signed(derive(row, "session", operators_keys), head, given)
    if signing_key is None:
        raise Unauthenticated("This session is not known here. Sign in again.")
    if int(ends_at) <= now:
        raise Unauthenticated("This session is over. Sign in again.")
    if row is None or row.revoked_at is not None:
        raise Unauthenticated("The API key of this session was revoked. Sign in with another one.")
    visit = Visit(nonce, float(ends_at))
    if over(session, [visit], now):
        raise Unauthenticated("This session was signed out. Sign in again.")
    caller = Caller(row.tenant_id, row.id, row.admin)
    return SignedIn(caller, signature(signing_key, f"form.{head}"), visit)


def end_session(database: Database, visit: Visit, now: float) -> None:
    """End a session before its time, everywhere. Repeating it is harmless."""
    with database.write() as session:
        # Those that have ended by themselves since need not be remembered any more.
        session.execute(delete(EndedSession).where(EndedSession.ends_at <= now))
        session.merge(EndedSession(nonce=visit.nonce, ends_at=visit.ends_at))


def over(session: Session, visits: Collection[Visit], now: float) -> frozenset[Visit]:
    """Give those of some sessions that have ended, by themselves or before their time."""
    nonces = [each.nonce for each in visits]
    query = select(EndedSession.nonce).where(EndedSession.nonce.in_(nonces))
    ended = set(session.scalars(query))
    return frozenset(each for each in visits if each.nonce in ended or each.ends_at <= now)
