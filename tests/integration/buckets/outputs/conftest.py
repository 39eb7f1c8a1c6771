"""Jobs whose results are to be written into a bucket, written as an io worker does it."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import obstore
import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import segment_name
from jobs.buckets.allowances import allow
from jobs.buckets.sources import Buckets
from jobs.outputs.writing import write_next
from jobs.queue.commits import Tally, commit
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.results.segments import Row, to_json, write_segment
from jobs.tables import JobOutput
from models.catalog import prediction_of
from tests.integration.api.callers import Caller
from tests.integration.buckets.servers import S3

RESULTS = "s3://photos/results/"


class Outputs:
    """A house whose tenant may write to s3://photos/results/."""

    def __init__(self, house: Ground, caller: Caller, s3: S3) -> None:
        self.house, self.caller, self.s3 = house, caller, s3

    def run(self, count: int, output: Any = RESULTS, **members: Any) -> str:
        """Submit a job and give each of its items an answer; gives its id."""
        job = self.caller.submit(count, output=output, **members)
        self.answer()
        return str(job["id"])

    def answer(self) -> None:
        answer_all(self.house)

    def write(self, house: Ground | None = None) -> bool:
        """Write what is due; a fresh process, which knows of every allowance."""
        house = house or self.house
        with closing(Buckets(house)) as buckets:
            return write_next(house, buckets, prediction_of)

    def hurry(self) -> None:
        """Have what waits for its next try, or for a lease to end, be due now."""
        with self.house.database.write() as session:
            session.execute(update(JobOutput).values(until=0.0))

    def view(self, job: str) -> dict[str, Any]:
        answer = self.caller.get(f"/v1/jobs/{job}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json["output"])

    def objects(self) -> list[str]:
        return sorted(
            entry["path"] for page in obstore.list(self.s3.store(), "results") for entry in page
        )

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self.s3.store(), key).bytes())

    def manifest(self, job: str) -> dict[str, Any]:
        return dict(json.loads(self.get(f"results/{job}/_manifest.json")))


def answer_all(house: Ground) -> None:
    """Do what inference workers do, until no shard waits."""
    while (lease := claim(house.database, Line("cpu"), "node-1", 30)) is not None:
        rows = [_row(index) for index in range(lease.first, lease.first + lease.count)]
        name = segment_name(lease.job_id, lease.first, lease.fence)
        write_segment(house.storage, name, rows)
        assert commit(house.database, lease, name, Tally(succeeded=len(rows)), 0.1)


def _row(index: int) -> Row:
    number = index % 10
    found = [{"class": str(number), "class_id": number, "confidence": 0.5}]
    return Row(index, f"item-{index}", ItemStatus.SUCCEEDED, "ab" * 32, 1, to_json(found))


def may_write(house: Ground, prefix: str, endpoint: str, tenant: str = "acme") -> str:
    return allow(house.database, house.settings, tenant, prefix, endpoint, writing=True)


@pytest.fixture
def outputs(house: Ground, caller: Caller, s3: S3) -> Outputs:
    may_write(house, RESULTS, s3.endpoint)
    return Outputs(house, caller, s3)


@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have parts of so many rows, so that small jobs make several."""

    def cut(rows: int) -> None:
        monkeypatch.setattr("jobs.outputs.parts._MOST_ROWS", rows)

    return cut
