"""Whether the process lives, and whether what it stands on answers."""

from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.exc import SQLAlchemyError

from api.current import ground
from api.openapi import describe
from api.views import Alive, Ready
from jobs.bootstrap import Ground
from jobs.errors import Unavailable
from jobs.storage import BlobMissing, StorageError

health = APIBlueprint("health", __name__, tag="Health")


@health.get("/healthz")
@describe(health, {200: Alive}, is_open=True)
def healthz() -> dict[str, Any]:
    """Say that the process lives; a failure means that it should be restarted."""
    return Alive().model_dump()


@health.get("/readyz")
@describe(health, {200: Ready}, is_open=True)
def readyz() -> dict[str, Any]:
    """Say whether jobs can be taken; a failure means that traffic should go elsewhere."""
    answers = {
        "database": _database_answers(ground()),
        "storage": _storage_answers(ground()),
        "redis": ground().hints.is_reachable(),
    }
    away = [name for name in ("database", "storage") if not answers[name]]
    if away:
        raise Unavailable(f"Not ready: {' and '.join(away)} cannot be reached.")
    return Ready(**{name: "ok" if good else "away" for name, good in answers.items()}).model_dump()


def _database_answers(ground: Ground) -> bool:
    try:
        return ground.database.now() > 0
    except SQLAlchemyError:
        return False


def _storage_answers(ground: Ground) -> bool:
    try:
        ground.storage.size("readyz")
    except BlobMissing:
        # The store looked, and there is no such blob: it answers.
        return True
    except StorageError:
        return False
    return True
