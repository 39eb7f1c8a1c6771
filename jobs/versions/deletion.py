"""Deleting a version: hidden from new jobs at once, its weights erased after its last open job.

The row stays, so that its number is never given to another version and old results still say what
ran. A version that an alias names, as itself or as a canary, is not deleted: move the alias first.
"""

from collections.abc import Collection

import structlog
from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict
from jobs.base.states import VersionState
from jobs.base.storage import StorageError
from jobs.tables import Job, ModelShadow, ModelVersion, Table
from jobs.tenants.audit import Actor, write_entry
from jobs.versions.aliases import aliases_of
from jobs.versions.names import shown_name, unknown_model

log = structlog.get_logger(__name__)

_AT_ONCE = 20

_versions = Table.metadata.tables["model_versions"].c
# Built once: a worker asks it before every claim.
_ERASED = select(_versions.name, _versions.version).where(
    _versions.name.in_(bindparam("of_names", expanding=True)), _versions.erased_at.is_not(None)
)


def erased_among(database: Database, models: Collection[str]) -> list[str]:
    """Say which of the versions, such as `digits@3`, have no weights any more."""
    if not models:
        return []
    names = sorted({model.rpartition("@")[0] for model in models})
    with database.read() as session:
        erased = session.connection().execute(_ERASED, {"of_names": names}).all()
    return [model for name, number in erased if (model := f"{name}@{number}") in models]


def delete_version(database: Database, name: str, number: int, actor: Actor) -> ModelVersion:
    """Delete a version, by its stored name; repeating it is harmless.

    Raises UnknownModel, and Conflict while an alias names the version or a shadow runs it.
    """
    shown = f"{shown_name(name)}@{number}"
    with database.write() as session:
        version = session.scalar(
            select(ModelVersion)
            .where(ModelVersion.name == name, ModelVersion.version == number)
            .with_for_update()
        )
        if version is None:
            raise unknown_model(shown)
        if version.state is VersionState.DELETED:
            return version
        for alias in aliases_of(session, name):
            canary = (alias.canary or {}).get("version")
            if number in (alias.version, canary):
                raise Conflict(
                    f"{shown} cannot be deleted while the alias {alias.alias!r} names it"
                    f"{' as its canary' if number == canary else ''}. Move or remove the alias "
                    "first."
                )
        _refuse_tried(session, name, number)
        version.state = VersionState.DELETED
        write_entry(session, actor, "version.deleted", f"{name}@{number}", digest=version.digest)
        return version


def _refuse_tried(session: Session, name: str, number: int) -> None:
    tried = select(ModelShadow.alias).where(ModelShadow.name == name, ModelShadow.version == number)
    alias = session.scalar(tried.limit(1))
    if alias is not None:
        raise Conflict(
            f"{shown_name(name)}@{number} cannot be deleted while it runs in the shadow of the "
            f"alias {alias!r}. End the shadow first."
        )


def erase_versions(ground: Ground) -> int:
    """Erase the weights of versions that were refused or deleted and that no open job runs."""
    is_run = exists().where(
        Job.model_name == ModelVersion.name,
        Job.model_version == ModelVersion.version,
        Job.ended_at.is_(None),
    )
    with ground.database.read() as session:
        due = session.scalars(
            select(ModelVersion)
            .where(
                ModelVersion.state.in_((VersionState.REFUSED, VersionState.DELETED)),
                ModelVersion.erased_at.is_(None),
                ~is_run,
            )
            .limit(_AT_ONCE)
        ).all()
    for version in due:
        try:
            _erase(ground, version)
        except StorageError as err:
            # It stays due, and the others are not kept waiting.
            log.warning("weights_not_erased", model=version.name, error=str(err))
    return len(due)


def _erase(ground: Ground, version: ModelVersion) -> None:
    itself = (ModelVersion.name == version.name) & (ModelVersion.version == version.version)
    # In earlier installations equal weights under two names were one blob.
    others = select(ModelVersion.version).where(
        ModelVersion.weights == version.weights, ModelVersion.erased_at.is_(None), ~itself
    )
    with ground.database.read() as session:
        is_shared = session.scalar(others.limit(1)) is not None
    ground.storage.delete([] if is_shared else [version.weights])
    # The number of one that was refused may have been given to other weights meanwhile.
    these = itself & (ModelVersion.weights == version.weights)
    with ground.database.write() as session:
        session.execute(update(ModelVersion).where(these).values(erased_at=db_now()))
