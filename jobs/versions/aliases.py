"""Aliases: names that move between a model's versions while jobs run.

Moving one changes nothing for jobs that exist: each has pinned its version. Names of models are the
stored ones here.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.states import VersionState
from jobs.tables import ModelAlias, ModelVersion
from jobs.tenants.audit import Actor, write_entry
from jobs.versions.canaries import end_canary
from jobs.versions.names import check_alias, shown_name


def set_alias(
    database: Database,
    name: str,
    alias: str,
    version: int,
    canary: dict[str, Any] | None,
    actor: Actor,
) -> ModelAlias:
    """Make an alias name a version, with a canary beside it or none.

    Repeating it changes nothing. A trial that this does not repeat ends: as promoted, when the
    alias goes to its version. Raises InvalidRequest for a version that is not ready.
    """
    check_alias(alias)
    try:
        return _set(database, name, alias, version, canary, actor)
    except IntegrityError:
        # Somebody else made the alias at the same moment; now it can be moved.
        return _set(database, name, alias, version, canary, actor)


def remove_alias(database: Database, name: str, alias: str, actor: Actor) -> None:
    """Remove an alias, and end its canary; raises NotFound."""
    with database.write() as session:
        row = _locked(session, name, alias)
        if row is None:
            raise _no_alias(name, alias)
        end_canary(session, row, "removed", "The alias was removed.", actor)
        write_entry(session, actor, "alias.removed", f"{name}@{alias}", version=row.version)
        session.delete(row)


def read_alias(session: Session, name: str, alias: str) -> ModelAlias:
    """Give an alias; raises NotFound."""
    row = session.get(ModelAlias, (name, alias))
    if row is None:
        raise _no_alias(name, alias)
    return row


def aliases_of(session: Session, *names: str) -> list[ModelAlias]:
    """Give the aliases of some models, by name."""
    query = select(ModelAlias).where(ModelAlias.name.in_(names))
    return list(session.scalars(query.order_by(ModelAlias.name, ModelAlias.alias)))


def _set(
    database: Database,
    name: str,
    alias: str,
    version: int,
    canary: dict[str, Any] | None,
    actor: Actor,
) -> ModelAlias:
    with database.write() as session:
        _hold(session, name, version, "version")
        if canary is not None:
            _check_other(version, canary["version"])
            _hold(session, name, canary["version"], "canary.version")
        now = session.scalar(select(db_now())) or 0.0
        row = _locked(session, name, alias)
        if row is None:
            row = ModelAlias(name=name, alias=alias, version=0, updated_at=now)
            session.add(row)
        if (row.version, row.canary) == (version, canary):
            return row
        _end_trial(session, row, version, canary, actor)
        if row.version != version:
            moved = {"version": version, "before": row.version or None}
            write_entry(session, actor, "alias.moved", f"{name}@{alias}", **moved)
            row.version = version
        if canary is not None and row.canary is None:
            row.canary, row.canary_id, row.canary_since = canary, new_id("can"), now
            write_entry(session, actor, "canary.begun", f"{name}@{alias}", **canary)
        row.updated_at = now
        session.flush()
        return row


def _end_trial(
    session: Session, row: ModelAlias, version: int, canary: dict[str, Any] | None, actor: Actor
) -> None:
    """End the running trial, unless it goes on as it is."""
    if row.canary is None or (row.version, row.canary) == (version, canary):
        return
    is_promoted = row.canary["version"] == version
    end_canary(session, row, "promoted" if is_promoted else "ended", None, actor)


def _check_other(version: int, on_trial: int) -> None:
    if version == on_trial:
        raise InvalidRequest(
            f"Version {version} cannot be its own canary; name another version.",
            param="canary.version",
        )


def _hold(session: Session, name: str, version: int, param: str) -> None:
    """Keep a version from being deleted while an alias comes to name it."""
    held = session.scalar(
        select(ModelVersion.state)
        .where(ModelVersion.name == name, ModelVersion.version == version)
        .with_for_update(read=True)
    )
    if held is None or held is not VersionState.READY:
        what = "There is no" if held in (None, VersionState.DELETED) else f"It is {held}:"
        raise InvalidRequest(
            f"{what} version {version} of {shown_name(name)!r}. An alias can name only a version "
            f"that is ready; GET /v1/models/{shown_name(name)}/versions lists them.",
            param=param,
        )


def _locked(session: Session, name: str, alias: str) -> ModelAlias | None:
    return session.scalar(
        select(ModelAlias)
        .where(ModelAlias.name == name, ModelAlias.alias == alias)
        .with_for_update()
    )


def _no_alias(name: str, alias: str) -> NotFound:
    return NotFound(
        f"{shown_name(name)!r} has no alias {alias!r}. GET /v1/models/{shown_name(name)}/aliases "
        "lists those that it has.",
        param="alias",
    )
