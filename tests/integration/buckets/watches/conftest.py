"""A watched folder, looked at as an io worker does, whenever a test wants it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.base.bootstrap import Ground
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item, Manifest
from jobs.tables import Job, Watch
from jobs.watches.polling import MOST, Most, look_next
from tests.integration.api.callers import Caller
from workers.errands.watching import order_of

PREFIX = "s3://photos/path/"


class Watching:
    """A house in which folders are watched."""

    def __init__(self, house: Ground, caller: Caller) -> None:
        self.house, self.caller = house, caller

    def add(self, prefix: str = PREFIX, **members: Any) -> str:
        answer = self.caller.post(
            "/v1/watches", json={"model": "digits", "prefix": prefix, **members}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def look(self, most: Most = MOST, before_order: Callable[[], object] = int) -> bool:
        """Look at the folder that is due; a fresh process, which knows of every allowance."""

        def order(watch: Watch) -> Any:
            before_order()
            return order_of(self.house, watch)

        with closing(Buckets(self.house)) as buckets:
            return look_next(self.house, buckets, order, most) is not None

    def look_again(self, most: Most = MOST) -> None:
        """Look though it is not due yet."""
        self.hurry()
        assert self.look(most)

    def hurry(self) -> None:
        with self.house.database.write() as session:
            session.execute(update(Watch).values(next_at=0.0, lease_until=None))

    def view(self, watch_id: str) -> dict[str, Any]:
        answer = self.caller.get(f"/v1/watches/{watch_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def jobs(self) -> list[Job]:
        with self.house.database.read() as session:
            return list(session.scalars(select(Job).order_by(Job.id)))

    def items(self) -> list[list[Item]]:
        """Give the items of every job, in the order of their making."""
        found = []
        for job in self.jobs():
            manifest = Manifest(self.house.storage, job.manifest or "")
            assert manifest.total == job.total
            found.append(manifest.items(0, job.total))
        return found

    def names(self) -> list[list[str]]:
        return [[item.custom_id for item in items] for items in self.items()]


@pytest.fixture
def watching(house: Ground, caller: Caller, allowed: str) -> Iterator[Watching]:
    return Watching(house, caller)
