"""Registered models: immutable versions, and aliases that move.

digits            the version that the alias `production` names, else the newest
digits@3          version 3
digits@candidate  the version that this alias names
"""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.database import Database, db_now
from jobs.errors import UnknownModel
from jobs.storage import Storage
from jobs.tables import ModelAlias, ModelVersion

DEFAULT_ALIAS = "production"


def weights_name(digest: str) -> str:
    """Name the blob of weights with this digest (`sha256:…`)."""
    return f"models/{digest.removeprefix('sha256:')}.safetensors"


def register(
    database: Database,
    storage: Storage,
    name: str,
    record: dict[str, Any],
    weights: bytes,
    digest: str,
) -> ModelVersion:
    """Store weights as the next version of a model; equal weights give the version they have."""
    with database.read() as session:
        known = session.scalar(
            select(ModelVersion).where(ModelVersion.name == name, ModelVersion.digest == digest)
        )
    if known is not None:
        return known
    blob = weights_name(digest)
    storage.put(blob, [weights])
    with database.write() as session:
        newest = session.scalar(
            select(func.max(ModelVersion.version)).where(ModelVersion.name == name)
        )
        version = ModelVersion(
            name=name,
            version=(newest or 0) + 1,
            digest=digest,
            record=record,
            weights=blob,
            created_at=session.scalar(select(db_now())) or 0.0,
        )
        session.add(version)
    return version


def resolve(session: Session, reference: str) -> ModelVersion:
    """Find the version that a caller means; raises UnknownModel, saying how to list what exists."""
    name, _, wanted = reference.partition("@")
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 9 else None
    if number is None:
        number = session.scalar(
            select(ModelAlias.version).where(
                ModelAlias.name == name, ModelAlias.alias == (wanted or DEFAULT_ALIAS)
            )
        )
    if number is None and not wanted:
        number = session.scalar(
            select(func.max(ModelVersion.version)).where(ModelVersion.name == name)
        )
    version = session.get(ModelVersion, (name, number)) if number is not None else None
    if version is None:
        raise UnknownModel(
            f"There is no model {reference!r} here. GET /v1/models (or `pixelmill models`) lists "
            "those that are registered; an operator adds one with `pixelmill register`.",
            param="model",
        )
    return version


def read_version(session: Session, name: str, version: int) -> ModelVersion:
    """Give a version that a job has pinned; raises UnknownModel."""
    found = session.get(ModelVersion, (name, version))
    if found is None:
        raise UnknownModel(f"Version {version} of model {name!r} is gone.", param="model")
    return found


def versions_of(session: Session, name: str) -> list[ModelVersion]:
    """Give every version of a model, newest first; raises UnknownModel when there is none."""
    resolve(session, name)
    query = select(ModelVersion).where(ModelVersion.name == name)
    return list(session.scalars(query.order_by(ModelVersion.version.desc())))


def newest_versions(session: Session) -> list[ModelVersion]:
    """Give the newest version of every model, by name."""
    newest = (
        select(ModelVersion.name, func.max(ModelVersion.version).label("version"))
        .group_by(ModelVersion.name)
        .subquery()
    )
    return list(
        session.scalars(
            select(ModelVersion)
            .join(
                newest,
                (newest.c.name == ModelVersion.name) & (newest.c.version == ModelVersion.version),
            )
            .order_by(ModelVersion.name)
        )
    )


def aliases_of(session: Session, name: str) -> dict[str, int]:
    """Give the aliases of a model and the versions that they name."""
    found = select(ModelAlias.alias, ModelAlias.version).where(ModelAlias.name == name)
    return dict(session.execute(found).all())
