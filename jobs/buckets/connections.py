"""A tenant's own credentials for buckets: sealed with the operator's key, and never shown again."""

import json
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.settings import Settings
from jobs.buckets.credentials import (
    Credentials,
    CredentialsError,
    Kind,
    check_credentials,
    check_endpoint,
)
from jobs.buckets.errors import BucketError
from jobs.tables import Connection
from jobs.tenants.audit import Actor, write_entry

_MOST_OF_ONE = 100


def create_connection(
    ground: Ground,
    actor: Actor,
    name: str,
    kind: Kind,
    said: Mapping[str, Any],
    endpoint: str,
) -> Connection:
    """Store credentials under a name that is the tenant's own.

    Raises InvalidRequest, and Conflict when the name is taken, or without a key of the operator.
    """
    try:
        secret = check_credentials(kind, said)
        address = check_endpoint(endpoint, ground.settings.bucket_networks)
    except CredentialsError as err:
        param = err.param if err.param == "endpoint" else f"credentials.{err.param}"
        raise InvalidRequest(str(err), param=param) from None
    tenant_id = actor.tenant_id or ""
    row = Connection(
        id=new_id("con"),
        tenant_id=tenant_id,
        name=name,
        kind=kind,
        endpoint=address,
        sealed=_seal(ground.settings, tenant_id, secret),
    )
    try:
        with ground.database.write() as session:
            of_tenant = select(func.count()).where(Connection.tenant_id == tenant_id)
            if (session.scalar(of_tenant) or 0) >= _MOST_OF_ONE:
                raise Conflict(f"There are {_MOST_OF_ONE} connections already. Delete one first.")
            row.created_at = session.scalar(select(db_now())) or 0.0
            session.add(row)
            write_entry(session, actor, "connection.created", row.id, kind=kind, endpoint=address)
            session.flush()
    except IntegrityError as err:
        raise Conflict(f"There is a connection {name!r} already.", param="name") from err
    return row


def find_connection(session: Session, tenant_id: str, name: str) -> Connection:
    """Give a tenant's connection by its id or name; raises NotFound for another tenant's too."""
    of_tenant = select(Connection).where(Connection.tenant_id == tenant_id)
    row = session.scalar(of_tenant.where(Connection.id == name))
    row = row or session.scalar(of_tenant.where(Connection.name == name))
    if row is None:
        raise NotFound(f"There is no connection {name!r}.", param="connection")
    return row


def list_connections(session: Session, tenant_id: str) -> list[Connection]:
    """Give a tenant's connections, newest first."""
    query = select(Connection).where(Connection.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(Connection.id.desc())))


def delete_connection(ground: Ground, actor: Actor, name: str) -> Connection:
    """Delete a connection; items of jobs that still read by it are errored. Raises NotFound."""
    with ground.database.write() as session:
        row = find_connection(session, actor.tenant_id or "", name)
        session.execute(delete(Connection).where(Connection.id == row.id))
        write_entry(session, actor, "connection.deleted", row.id)
    return row


def open_connection(settings: Settings, row: Connection) -> Credentials:
    """Open what a connection keeps; raises BucketError when no key of the operator fits it."""
    # Here and not above: only who reads objects by a connection pays for it.
    from cryptography.fernet import InvalidToken

    try:
        said = json.loads(_fernet(settings).decrypt(row.sealed.encode()))
    except (InvalidToken, Conflict):
        raise _unopened(row) from None
    # A row that was moved to another tenant does not open.
    if said.pop("tenant_id", None) != row.tenant_id:
        raise _unopened(row)
    return Credentials(cast("Kind", row.kind), row.endpoint, said)


def reseal(ground: Ground) -> tuple[int, list[Connection]]:
    """Seal every connection anew with the newest of the operator's keys; repeating it is harmless.

    Gives how many were, and those that none of the keys opens, which stay as they are. Raises
    Conflict without a key.
    """
    from cryptography.fernet import InvalidToken

    fernet, count, lost = _fernet(ground.settings), 0, []
    with ground.database.write() as session:
        for row in session.scalars(select(Connection).order_by(Connection.id)):
            try:
                sealed = fernet.rotate(row.sealed.encode()).decode()
            except InvalidToken:
                lost.append(row)
                continue
            moved = update(Connection).where(Connection.id == row.id).values(sealed=sealed)
            session.execute(moved, execution_options={"synchronize_session": False})
            count += 1
    return count, lost


def _seal(settings: Settings, tenant_id: str, secret: Mapping[str, str]) -> str:
    text = json.dumps({**secret, "tenant_id": tenant_id})
    return str(_fernet(settings).encrypt(text.encode()).decode())


def _fernet(settings: Settings) -> Any:
    from cryptography.fernet import Fernet, MultiFernet

    keys = settings.connection_key
    if not keys:
        raise Conflict(
            "Connections are not set up here: an operator sets PIXELMILL_CONNECTION_KEY first."
        )
    return MultiFernet([Fernet(key) for key in keys])


def _unopened(row: Connection) -> BucketError:
    return BucketError(
        "connection_gone",
        f"The connection {row.name!r} cannot be opened with the operator's key any more. Delete "
        "it and store it again.",
    )
