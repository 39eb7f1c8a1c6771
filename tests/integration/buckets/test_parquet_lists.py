"""Lists that are Parquet files: read behind walls, whatever is wrong with them."""

import io
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.archives import ArchiveError, ReaderLost
from jobs.base.bootstrap import Ground
from jobs.buckets.sources import Buckets
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller
from tests.integration.buckets.servers import S3
from tests.integration.buckets.test_reading import listed
from tests.integration.buckets.test_submission import submit
from workers.walls.tables.walled import WalledTables

pytestmark = pytest.mark.usefixtures("allowed")
LIST = "s3://photos/path/list.parquet"
MEMORY = 2**30


@pytest.fixture
def reading(house: Ground) -> Iterator[Buckets]:
    opened = Buckets(house, WalledTables(MEMORY))
    yield opened
    opened.close()


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def run(
    house: Ground, s3: S3, tenant: NewKey, model: ModelVersion, reading: Buckets, content: bytes
) -> tuple[Job, list[tuple[str, str]]]:
    s3.put("path/list.parquet", content)
    job, items = listed(house, tenant, model, reading, prefix=None, manifest=LIST)
    return job, [(item.custom_id, item.url or item.error_code) for item in items]


def test_paths_and_names_are_read(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reading: Buckets
) -> None:
    s3.put("path/a.png", b"a")
    s3.put("path/b.png", b"b")
    paths = ["path/a.png", "s3://photos/path/b.png", "path/none.png"]
    content = parquet(size=[1, 2, 3], Path=paths, custom_id=["x", "y", "z"])
    _, items = run(house, s3, tenant, digits_model, reading, content)
    assert items == [
        ("x", "s3://photos/path/a.png"),
        ("y", "s3://photos/path/b.png"),
        ("z", "input_gone"),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no Parquet", "not_a_manifest"),
        (b"PAR1" + b"\xff" * 100 + b"\xff\xff\xff\x7fPAR1", "not_a_manifest"),
        (parquet(path=["path/a.png"] * 1000)[:-20], "not_a_manifest"),
        (parquet(file=["path/a.png"]), "not_a_manifest"),
        (parquet(path=[b"path/a.png"]), "invalid_request"),
        (parquet(path=[None]), "invalid_request"),
        (parquet(path=["a" * 100_000]), "invalid_request"),
        (parquet(path=["secret.png"]), "bucket_not_allowed"),
        (parquet(path=pa.array([], pa.string())), "empty_input"),
    ],
)
def test_a_list_that_is_none_is_told(
    house: Ground,
    s3: S3,
    tenant: NewKey,
    digits_model: ModelVersion,
    reading: Buckets,
    content: bytes,
    code: str,
) -> None:
    job, _ = run(house, s3, tenant, digits_model, reading, content)
    assert job.status == "failed"
    assert job.errors is not None
    assert job.errors[0]["code"] == code, job.errors


def test_one_that_unpacks_to_more_than_a_reader_may_take_is_refused() -> None:
    # One text of 200 MB, in a few kilobytes.
    file = io.BytesIO()
    pq.write_table(pa.table({"path": ["a" * 200_000_000]}), file, compression="zstd")
    assert file.tell() < 10**5
    reader = WalledTables(2**26)
    with pytest.raises(ArchiveError):
        list(reader.rows(file, lambda: None))


def test_a_reader_that_is_killed_costs_its_list_and_no_more() -> None:
    file = io.BytesIO(parquet(path=["a"] * 10**5))

    def beat() -> None:
        for pid in children():
            for child in children(pid):
                os.kill(child, 9)

    with pytest.raises(ReaderLost):
        list(WalledTables(MEMORY).rows(file, beat))
    file.seek(0)
    assert len(list(WalledTables(MEMORY).rows(file, lambda: None))) == 10**5


def children(pid: int | None = None) -> list[int]:
    """Give the processes below one of ours, by what the kernel says of its threads."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid or os.getpid()}/task"):
        with open(f"/proc/{pid or os.getpid()}/task/{task}/children") as file:
            found += map(int, file.read().split())
    return [each for each in found if "tables" in command_of(each) or pid is not None]


def command_of(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read()


def test_dry_run_does_not_read_one(caller: Caller, s3: S3) -> None:
    s3.put("path/list.parquet", parquet(path=["path/a.png"]))
    answer = submit(caller, manifest=LIST, dry_run=True)
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] is None
    assert answer.json["skipped"] is None
