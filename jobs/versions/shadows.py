"""Shadows of aliases: a version on trial also runs on a sample of what comes in by an alias.

What is set here, jobs are cast by when they complete (jobs.kinds.shadow); the totals are kept with
the setting, and go when it is set anew.
"""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import InvalidRequest, NotFound
from jobs.tables import ModelAlias, ModelShadow
from jobs.tenants.audit import Actor, write_entry
from jobs.tenants.keys import shadow_tenant
from jobs.versions.names import shown_name
from jobs.versions.registry import hold_version, read_version


def set_shadow(
    database: Database, name: str, alias: str, version: int, percent: int, actor: Actor
) -> ModelShadow:
    """Have a version run in the shadow of an alias, with new totals; gives the setting.

    `name` is the stored one. Raises NotFound without the alias, UnknownModel without the version,
    and InvalidRequest when it does another task than the version that the alias names.
    """
    with database.write() as session:
        _check_trial(session, name, alias, version)
        shadow_tenant(session)
        _remove(session, name, alias)
        shadow = ModelShadow(
            name=name,
            alias=alias,
            version=version,
            percent=percent,
            created_at=session.scalar(select(db_now())) or 0.0,
        )
        session.add(shadow)
        said = {"version": version, "percent": percent}
        write_entry(session, actor, "shadow.begun", f"{name}@{alias}", **said)
        session.flush()
    return shadow


def get_shadow(session: Session, name: str, alias: str) -> ModelShadow:
    """Give the setting of an alias with its totals; raises NotFound."""
    shadow = session.get(ModelShadow, (name, alias))
    if shadow is None:
        raise NotFound(f"No version runs in the shadow of {shown_name(name)}@{alias}.")
    return shadow


def end_shadow(database: Database, name: str, alias: str, actor: Actor) -> None:
    """Have no version run in the shadow of an alias any more; its totals go. Raises NotFound."""
    with database.write() as session:
        version = get_shadow(session, name, alias).version
        _remove(session, name, alias)
        write_entry(session, actor, "shadow.ended", f"{name}@{alias}", version=version)


def _check_trial(session: Session, name: str, alias: str, version: int) -> None:
    current = session.get(ModelAlias, (name, alias))
    if current is None:
        raise NotFound(f"Model {shown_name(name)!r} has no alias {alias!r}; set it first.")
    hold_version(session, name, version)
    both = [read_version(session, name, each) for each in (current.version, version)]
    if len({each.task for each in both}) > 1:
        raise InvalidRequest(
            f"Version {version} of {shown_name(name)!r} does another task than version "
            f"{current.version}, which {alias!r} names.",
            param="version",
        )


def _remove(session: Session, name: str, alias: str) -> None:
    found = ModelShadow.name == name, ModelShadow.alias == alias
    session.execute(delete(ModelShadow).where(*found))
