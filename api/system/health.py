"""Whether the process lives, and whether what it stands on answers."""

from typing import Any

from apiflask import APIBlueprint

from api.system.readiness import readiness
from api.system.views import Alive, Ready
from api.web.openapi import describe
from jobs.base.errors import Unavailable
from jobs.presence.version import installed_version

health = APIBlueprint("health", __name__, tag="Health")

_DATABASE_FAULTS = {
    "away": "the database cannot be reached",
    "not_migrated": "the database lacks tables of this version; run `python -m migrations.upgrade`",
}
_STORAGE_FAULTS = {
    "away": "the storage cannot be written to",
    "full": "the storage is full",
    "missing": "the storage's bucket or folder does not exist",
    "lost": "the storage lacks what the database names: is it mounted, and the right one?",
}


@health.get("/healthz")
@describe(health, {200: Alive}, is_open=True)
def healthz() -> dict[str, Any]:
    """Say that the process lives, and its version; a failure means that it should be restarted."""
    return Alive(version=installed_version()).model_dump()


@health.get("/readyz")
@describe(health, {200: Ready}, is_open=True)
def readyz() -> dict[str, Any]:
    """Say whether jobs can be taken; a failure means that traffic should go elsewhere.

    The storage is written to for it, every few seconds at most.
    """
    state = readiness()
    database, storage = state.database(), state.storage()
    faults = [_DATABASE_FAULTS.get(database), _STORAGE_FAULTS.get(storage)]
    if any(faults):
        raise Unavailable(f"Not ready: {' and '.join(fault for fault in faults if fault)}.")
    return Ready(
        database=database,
        storage=storage,
        redis="ok" if state.redis_answers() else "away",
        listener=state.listener(),
        workers=state.workers(),
        clock_skew_s=state.clock_skew_s(),
        version=installed_version(),
    ).model_dump()
