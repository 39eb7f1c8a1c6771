"""What the tests of versions push."""

from typing import Any

from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion


def rows(ground: Ground) -> list[ModelVersion]:
    with ground.database.read() as session:
        query = select(ModelVersion).where(ModelVersion.name.startswith("ten_"))
        return list(session.scalars(query.order_by(ModelVersion.version)))


def job(model: str) -> dict[str, Any]:
    return {"model": model, "requests": [{"input": {"data": "aGk="}}]}
