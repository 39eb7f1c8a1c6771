"""Versions that were pushed, as a worker meets them."""

from collections.abc import Callable

from jobs.base.bootstrap import Ground
from jobs.base.states import VersionState
from jobs.tables import ModelVersion
from workers.engine.engine import Engine

NewEngine = Callable[..., Engine]

PARAMS = {"top_k": 1, "min_confidence": 0.0}


def state_of(ground: Ground, version: ModelVersion) -> tuple[VersionState, str]:
    with ground.database.read() as session:
        row = session.get_one(ModelVersion, (version.name, version.version))
        return row.state, row.reason or ""
