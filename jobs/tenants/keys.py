"""Tenants and their API keys.

A key is `pm_live_<key id>_<secret><checksum>`: the key id finds the row, the secret has 190 random
bits, and six characters of CRC-32 tell a mistyped key from a wrong one without a look at the
database (the form that GitHub's tokens have). Only the SHA-256 of the secret is kept: a random
secret of this length needs no slow hash.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict, InvalidRequest, NotFound, Unauthenticated
from jobs.base.ids import new_id
from jobs.tables import ApiKey, Table, Tenant
from jobs.tenants.audit import OPERATOR, Actor, write_entry
from jobs.tenants.signing import new_secret

# Beyond these the shares of tenants could no longer be told apart.
LEAST_WEIGHT, MOST_WEIGHT = 0.001, 1000.0

# What the system runs for itself counts for a tenant of its own, whom nobody can have a key of.
_SHADOWS = "pixelmill:shadows"
_SHADOWS_WEIGHT = 0.01

_PREFIX = "pm_live_"
_BASE62 = string.digits + string.ascii_letters
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6

_keys = Table.metadata.tables["api_keys"].c
# Built once: every call asks it.
_FIND_KEY = select(
    _keys.id, _keys.tenant_id, _keys.admin, _keys.secret_sha256, _keys.revoked_at
).where(_keys.id == bindparam("key_id"))


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as its owner sees it, once."""

    key: str = field(repr=False)
    key_id: str
    tenant_id: str
    webhook_secret: str = field(repr=False)


def find_tenant(session: Session, name: str) -> str:
    """Give the id of a tenant by its name; raises NotFound."""
    found = session.scalar(select(Tenant.id).where(Tenant.name == name))
    if found is None:
        raise NotFound(f"There is no tenant {name!r}.", param="tenant")
    return found


def names_of_tenants(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Give the names of tenants by their ids."""
    found = session.execute(select(Tenant.id, Tenant.name).where(Tenant.id.in_(ids)))
    return {row.id: row.name for row in found}


def create_key(
    database: Database,
    tenant: str,
    *,
    weight: float | None = None,
    name: str = "",
    admin: bool = False,
    actor: Actor = OPERATOR,
) -> NewKey:
    """Make a key for a tenant, and the tenant too if there is none of this name.

    With `admin` it is an operator's key: it may change the models that all tenants share.
    `weight` is the tenant's from now on; without one a new tenant has 1, and any other its own.
    """
    if weight is not None and not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise InvalidRequest(
            f"A tenant's weight must be from {LEAST_WEIGHT} to {MOST_WEIGHT:g}.", param="weight"
        )
    if tenant.startswith("pixelmill:"):
        raise InvalidRequest(f"The tenant {tenant!r} is the system's own; take another name.")
    key_id = new_id("key").removeprefix("key_")
    secret = "".join(secrets.choice(_BASE62) for _ in range(_SECRET_LENGTH))
    with database.write() as session:
        row = _get_or_make_tenant(session, tenant, weight)
        session.add(
            ApiKey(
                id=key_id,
                tenant_id=row.id,
                name=name,
                secret_sha256=_hash(secret),
                admin=admin,
                created_at=session.scalar(select(db_now())) or 0.0,
            )
        )
        write_entry(session, actor, "key.created", key_id, tenant_id=row.id, admin=admin)
    return NewKey(
        key=f"{_PREFIX}{key_id}_{secret}{_checksum(key_id + secret)}",
        key_id=key_id,
        tenant_id=row.id,
        webhook_secret=row.webhook_secret,
    )


class Caller(NamedTuple):
    """Whom a key belongs to."""

    tenant_id: str
    key_id: str
    is_admin: bool


class StoredKey(NamedTuple):
    """What is kept of a key, revoked or not."""

    id: str
    tenant_id: str
    admin: bool
    secret_sha256: str
    revoked_at: float | None


def find_key(session: Session, key_id: str) -> StoredKey | None:
    """Give what is kept of a key by its id; None when there is none."""
    row = session.connection().execute(_FIND_KEY, {"key_id": key_id}).one_or_none()
    return None if row is None else StoredKey(*row)


def read_key(session: Session, key: str) -> Caller:
    """Say whom a key belongs to; raises Unauthenticated when it is not good."""
    key_id, secret = _parse(key)
    row = find_key(session, key_id)
    stored = row.secret_sha256 if row is not None else "0" * 64
    # Compared even when there is no such key, so that timing does not tell which ids exist.
    if not hmac.compare_digest(stored, _hash(secret)) or row is None:
        raise Unauthenticated("This API key is not known here. Check that it was copied whole.")
    if row.revoked_at is not None:
        raise Unauthenticated("This API key was revoked. Ask an operator for a new one.")
    return Caller(row.tenant_id, row.id, row.admin)


def good_keys(session: Session, key_ids: Collection[str]) -> frozenset[str]:
    """Give those of some keys that are still good, by their ids."""
    found = select(ApiKey.id).where(ApiKey.id.in_(key_ids), ApiKey.revoked_at.is_(None))
    return frozenset(session.scalars(found))


def list_keys(session: Session, tenant_id: str | None = None) -> list[tuple[str, ApiKey]]:
    """Give every key with its tenant's name, or those of one tenant.

    What is kept of a key tells nothing of its secret.
    """
    query = select(Tenant.name, ApiKey).join(Tenant, Tenant.id == ApiKey.tenant_id)
    if tenant_id is not None:
        query = query.where(ApiKey.tenant_id == tenant_id)
    return [(name, key) for name, key in session.execute(query.order_by(Tenant.name, ApiKey.id))]


def revoke_key(database: Database, key_id: str, actor: Actor = OPERATOR) -> None:
    """Revoke a key from now on. Repeating it is harmless.

    Raises NotFound, and Conflict for the last good key of an operator: nobody could make another
    one over the API, nor revoke what leaks.
    """
    with database.write() as session:
        row = session.get(ApiKey, key_id.removeprefix("key_"))
        if row is None:
            raise NotFound(f"There is no key {key_id!r}. `keys list` shows the ids of all keys.")
        if row.revoked_at is None:
            _refuse_last_operators(session, row)
            row.revoked_at = session.scalar(select(db_now()))
            write_entry(session, actor, "key.revoked", row.id, tenant_id=row.tenant_id)


def _refuse_last_operators(session: Session, row: ApiKey) -> None:
    if not row.admin:
        return
    # Locked, so that two operators cannot revoke each other's at the same moment.
    good = select(ApiKey.id).where(ApiKey.admin, ApiKey.revoked_at.is_(None)).with_for_update()
    if session.scalars(good).all() == [row.id]:
        raise Conflict(
            f"{row.id} is the last operator's key that is good. Make another one first: "
            "`keys create --admin`."
        )


def shadow_tenant(session: Session) -> str:
    """Give the id of the tenant whom shadows belong to: one who gets what others leave.

    No more of it is read: a worker may not see the secrets of tenants.
    """
    tenant_id = session.scalar(select(Tenant.id).where(Tenant.name == _SHADOWS))
    return tenant_id or _get_or_make_tenant(session, _SHADOWS, _SHADOWS_WEIGHT).id


def _get_or_make_tenant(session: Session, name: str, weight: float | None) -> Tenant:
    row = session.scalar(select(Tenant).where(Tenant.name == name))
    if row is None:
        row = Tenant(
            id=new_id("ten"),
            name=name,
            weight=1.0,
            webhook_secret=new_secret(),
            created_at=session.scalar(select(db_now())) or 0.0,
        )
        session.add(row)
    if weight is not None:
        row.weight = weight
    session.flush()
    return row


def _parse(key: str) -> tuple[str, str]:
    malformed = Unauthenticated(
        "This is not a Pixelmill API key, or not all of one. It has the form "
        "pm_live_<key id>_<secret>: copy it whole."
    )
    key_id, _, rest = key.removeprefix(_PREFIX).partition("_")
    secret, checksum = rest[:_SECRET_LENGTH], rest[_SECRET_LENGTH:]
    if not key.startswith(_PREFIX) or not key.isascii() or len(secret) != _SECRET_LENGTH:
        raise malformed
    if not key_id.isalnum():
        raise malformed
    if checksum != _checksum(key_id + secret):
        raise malformed
    return key_id, secret


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, remainder = divmod(number, len(_BASE62))
        digits = _BASE62[remainder] + digits
    return digits
