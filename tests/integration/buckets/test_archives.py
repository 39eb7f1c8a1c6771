"""Archives that lie in buckets: walked and read where they lie, under what was pinned."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.archives import extract
from jobs.base.bootstrap import Ground
from jobs.base.storage import CHUNK
from jobs.buckets.locations import Location
from jobs.buckets.remote import Found
from jobs.buckets.sources import Bucket, Buckets, Owner
from jobs.inputs.manifests import Item, Manifest
from jobs.intake.children import retry_of
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import submit
from jobs.queue.completion import cancel
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.buckets.servers import S3
from tests.integration.buckets.test_reading import code_of, listed
from tests.integration.jobs.checks import read_job
from workers.egress import Egress, EgressPolicy
from workers.engine.holding.requester import Requester
from workers.engine.reading.ahead import ReadAhead
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import Fetches
from workers.engine.reading.reader import Reader

pytestmark = pytest.mark.usefixtures("allowed")
# Some megabytes, as small pictures are.
MEMBERS, MEMBER_BYTES = 3000, 6000


class Counting(Buckets):
    """Buckets that count what is read of them."""

    reads = 0

    def bucket(self, owner: Owner, location: Location) -> Bucket:
        return Counted(super().bucket(owner, location), self)  # type: ignore[return-value]


class Counted:
    def __init__(self, bucket: Bucket, counter: Counting) -> None:
        self._counter = counter
        self.list, self.head, self._read = bucket.list, bucket.head, bucket.read

    def read(self, location: Location, known: Found, start: int, length: int) -> bytes:
        self._counter.reads += 1
        return self._read(location, known, start, length)


@pytest.fixture
def buckets(house: Ground) -> Iterator[Counting]:
    opened = Counting(house)
    yield opened
    opened.close()


@pytest.fixture
def reader(house: Ground, buckets: Counting) -> Iterator[Reader]:
    egress = Egress(EgressPolicy())
    with ThreadPoolExecutor(4) as threads:
        yield Reader(house.storage, Fetches(egress, threads, FetchBudget()), threads, buckets)
    egress.close()


def packed(kind: str, contents: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return made.getvalue()
    with tarfile.open(fileobj=made, mode="w:gz" if kind == "tar.gz" else "w") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


PICTURES = {"a.png": b"first", "deep/b.png": b"second" * 100, "notes.txt": b"text"}


def walked(
    house: Ground, tenant: NewKey, model: ModelVersion, buckets: Buckets, name: str, **more: Any
) -> tuple[Job, list[Item]]:
    source = {"prefix": None, "archive": f"s3://photos/path/{name}"} | more
    return listed(house, tenant, model, buckets, **source)


def contents_of(reader: Reader, items: list[Item]) -> dict[str, bytes]:
    found = {}
    for item, content in zip(items, reader.read(items, 10**6), strict=True):
        assert isinstance(content, bytes | memoryview), content
        found[item.custom_id] = extract(content, item.encoding, 10**6, item.size)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_members_are_read_where_they_lie(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader, kind: str,
) -> None:  # fmt: skip
    s3.put("path/photos", packed(kind, PICTURES))
    job, items = walked(house, tenant, digits_model, buckets, "photos")
    assert contents_of(reader, items) == {name: PICTURES[name] for name in ("a.png", "deep/b.png")}
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {"not_media": 1}
    in_bucket = kind != "tar.gz"
    assert {item.lies_in_bucket for item in items} == {in_bucket}
    # What is erased with the job is our own copy alone.
    assert len(Manifest(house.storage, job.manifest or "").blobs()) == (not in_bucket)


def test_a_film_in_an_archive_is_read_piece_by_piece(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader,
) -> None:  # fmt: skip
    film = bytes(range(256)) * 40_000
    s3.put("path/films.zip", packed("zip", {"a.mp4": film}))
    s3.put("path/films.tar", packed("tar", {"a.mp4": film}))
    for name in ("films.zip", "films.tar"):
        _, (item,) = walked(house, tenant, digits_model, buckets, name)
        parts = [bytes(each) for each in reader.parts(item, 10**9, 10, lambda work: work())]
        assert b"".join(parts) == film
        assert len(parts) > 1


def test_an_archive_that_changed_or_went_costs_its_members(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader,
) -> None:  # fmt: skip
    made = packed("tar", PICTURES)
    s3.put("path/a.tar", made)
    _, items = walked(house, tenant, digits_model, buckets, "a.tar")
    s3.put("path/a.tar", made.replace(b"first", b"other"))
    changed = reader.read(items, 10**6)
    s3.delete("path/a.tar")
    gone = reader.read(items, 10**6)
    assert [code_of(each) for each in changed] == ["input_changed"] * 2
    assert [code_of(each) for each in gone] == ["input_gone"] * 2


def test_every_archive_of_a_folder_is_walked(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader,
) -> None:  # fmt: skip
    s3.put("path/sets/0.tar", packed("tar", {"a.png": b"zero"}))
    s3.put("path/sets/1.ZIP", packed("zip", {"a.png": b"one"}))
    s3.put("path/sets/2.tgz", packed("tar.gz", {"a.png": b"two"}))
    s3.put("path/sets/test-3.tar", packed("tar", {"a.png": b"three"}))
    s3.put("path/sets/cover.png", b"picture")
    job, items = walked(house, tenant, digits_model, buckets, "sets/", exclude=["test-*"])
    assert contents_of(reader, items) == {
        "0.tar/a.png": b"zero", "1.ZIP/a.png": b"one", "2.tgz/a.png": b"two",
    }  # fmt: skip
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {"not_archive": 1, "not_chosen": 1}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 600, "unsupported_archive"),
        (packed("zip", PICTURES)[:-10], "corrupt_archive"),
        (packed("tar.gz", PICTURES)[:-10], "corrupt_archive"),
        (None, "input_gone"),
    ],
)
def test_what_is_no_archive_fails_its_job(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, content: bytes | None, code: str,
) -> None:  # fmt: skip
    if content is not None:
        s3.put("path/a.zip", content)
    job, items = walked(house, tenant, digits_model, buckets, "a.zip")
    assert (job.status, items) == ("failed", [])
    assert [each["code"] for each in job.errors or []] == [code]
    assert "s3://photos/path/a.zip" in str(job.errors)
    assert not list(house.storage.list(f"jobs/{job.id}/"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_small_members_are_a_request_for_eight_mebibytes(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader, kind: str,
) -> None:  # fmt: skip
    contents = {f"{number:04}.png": b"%06000d" % number for number in range(MEMBERS)}
    made = packed("tar", contents)
    if kind == "zip":
        stored = io.BytesIO()
        with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        made = stored.getvalue()
    s3.put("path/photos", made)
    _, items = walked(house, tenant, digits_model, buckets, "photos")
    # A zip's end is looked at first, and its directory read twice.
    allowed = -(-len(made) // CHUNK) + (3 if kind == "zip" else 0)
    assert buckets.reads <= allowed
    buckets.reads = 0
    ahead = ReadAhead(reader.ranges, items)
    for first in range(0, MEMBERS, 8):
        chunk = items[first : first + 8]
        for item, content in zip(
            chunk, reader.read(chunk, 10**6, Requester(), ahead.ranges), strict=True
        ):
            assert bytes(content).find(contents[item.custom_id]) >= 0  # type: ignore[arg-type]
    assert buckets.reads <= -(-len(made) // CHUNK)


def test_a_retry_reads_the_same_archive(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion,
    buckets: Counting, reader: Reader,
) -> None:  # fmt: skip
    s3.put("path/a.tar", packed("tar", PICTURES))
    parent, items = walked(house, tenant, digits_model, buckets, "a.tar")
    cancel(house.database, tenant.tenant_id, parent.id)
    with house.database.read() as session:
        submission = retry_of(session, session.get_one(Job, parent.id))
    job, _ = submit(house, submission)
    assert prepare_next(house, buckets=buckets) == job.id
    again = Manifest(house.storage, read_job(house, job.id).manifest or "").items(0, 2)
    assert again == items
    assert contents_of(reader, again)["a.png"] == b"first"


def test_other_manifests_stay_as_the_version_before_reads_them(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, buckets: Counting
) -> None:
    s3.put("path/a.png", b"x")
    s3.put("path/a.tar", packed("tar", PICTURES))
    for source, has_column in (
        ({}, False),
        ({"prefix": None, "archive": "s3://photos/path/a.tar"}, True),
    ):
        job, _ = listed(house, tenant, digits_model, buckets, **source)
        with house.storage.open(job.manifest or "") as file:
            assert ("object_size" in pq.read_schema(file).names) is has_column
