"""Objects are listed as they are, pinned, and read under what was pinned."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.base.bootstrap import Ground
from jobs.buckets.allowances import withdraw
from jobs.buckets.locations import read_location
from jobs.buckets.sources import Buckets, Owner
from jobs.inputs.manifests import Item, Manifest
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission, submit
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.buckets.conftest import allow_path
from tests.integration.buckets.servers import S3
from tests.integration.jobs.checks import read_job
from workers.egress import Egress, EgressPolicy
from workers.engine.holding.requester import Requester
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import Fetches
from workers.engine.reading.reader import Reader

pytestmark = pytest.mark.usefixtures("allowed")


@pytest.fixture
def reader(house: Ground, buckets: Buckets) -> Iterator[Reader]:
    egress = Egress(EgressPolicy())
    with ThreadPoolExecutor(4) as threads:
        yield Reader(house.storage, Fetches(egress, threads, FetchBudget()), threads, buckets)
    egress.close()


def listed(
    house: Ground,
    tenant: NewKey,
    model: ModelVersion,
    buckets: Buckets | None = None,
    **source: object,
) -> tuple[Job, list[Item]]:
    """Submit a job over a bucket and prepare it; gives its items."""
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        requested={"model": model.name, "params": {}},
        params={},
        pool="cpu",
        source={
            name: value
            for name, value in ({"prefix": "s3://photos/path/"} | source).items()
            if value is not None
        },
    )
    job, _ = submit(house, submission)
    assert prepare_next(house, buckets=buckets) == job.id
    job = read_job(house, job.id)
    if job.manifest is None:
        return job, []
    manifest = Manifest(house.storage, job.manifest)
    return job, manifest.items(0, manifest.total)


def code_of(content: object) -> str:
    assert isinstance(content, ItemError), content
    return content.code


def test_keys_of_any_writing_are_listed_and_read(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    names = ["a.png", "b c.png", "ü%41.png", "#x?.png", "+&=.png", "deep/er/1.png", "no-suffix"]
    for name in names:
        s3.put(f"path/{name}", name.encode())
    s3.put("pathX/other.png", b"of somebody else")
    s3.put("path/notes.txt", b"text")
    s3.put_raw("path/folder/", b"")
    s3.put("path/empty.png", b"")
    job, items = listed(house, tenant, digits_model)
    assert sorted(item.custom_id for item in items) == sorted([*names, "empty.png"])
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {"not_media": 1, "folder": 1}
    contents = reader.read(items, 1000)
    read = {item.custom_id: bytes(part) for item, part in zip(items, contents, strict=True)}
    assert read == {name: name.encode() for name in names} | {"empty.png": b""}
    assert {item.blob for item in items} == {f"{tenant.tenant_id}/"}
    assert all(item.etag and item.url.startswith("s3://photos/path/") for item in items)


def test_an_object_that_changed_or_went_costs_its_item(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    for name in "abcd":
        s3.put(f"path/{name}.png", b"0123")
    _, items = listed(house, tenant, digits_model)
    s3.put("path/a.png", b"other")
    s3.put("path/b.png", b"9876")
    s3.delete("path/c.png")
    changed, same_size, gone, kept = reader.read(items, 1000)
    assert (code_of(changed), code_of(same_size)) == ("input_changed", "input_changed")
    assert code_of(gone) == "input_gone"
    assert kept == b"0123"
    assert "s3://photos/path/c.png" in gone.message


def test_an_object_without_an_etag_is_known_by_its_size(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    s3.put("path/a.png", b"0123")
    _, (item,) = listed(house, tenant, digits_model)
    bare = item._replace(etag="")
    assert reader.read([bare], 1000) == [b"0123"]
    s3.put("path/a.png", b"01234")
    assert code_of(reader.read([bare], 1000)[0]) == "input_changed"


def test_an_object_that_is_too_large_is_not_asked_for(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    s3.put("path/a.png", bytes(2000))
    _, items = listed(house, tenant, digits_model)
    s3.delete("path/a.png")
    assert code_of(reader.read(items, 1000)[0]) == "image_too_large"


def test_a_large_object_is_read_in_large_runs(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    content = bytes(range(256)) * 80_000
    s3.put("path/film.mp4", content)
    _, (item,) = listed(house, tenant, digits_model)
    assert reader.read([item], 10**9) == [content]
    parts = list(reader.parts(item, 10**9, 30, lambda work: work()))
    assert [len(part) for part in parts] == [8 * 2**20, 8 * 2**20, len(content) - 16 * 2**20]
    assert b"".join(parts) == content


def test_what_the_operator_takes_back_is_read_no_more(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader, allowed: str
) -> None:
    s3.put("path/a.png", b"x")
    _, items = listed(house, tenant, digits_model)
    withdraw(house.database, allowed)
    assert code_of(reader.read(items, 1000)[0]) == "bucket_not_allowed"


def test_a_manifest_that_names_another_tenant_opens_nothing_of_theirs(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    s3.put("path/a.png", b"x")
    _, (item,) = listed(house, tenant, digits_model)
    for owner in ("ten_other/", "", f"{tenant.tenant_id}/con_other"):
        told = code_of(reader.read([item._replace(blob=owner)], 1000)[0])
        assert told in ("bucket_not_allowed", "connection_gone")
    outside = item._replace(url="s3://secrets/key.png")
    assert code_of(reader.read([outside], 1000)[0]) == "bucket_not_allowed"


def test_once_told_to_stop_nothing_more_is_read(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, reader: Reader
) -> None:
    s3.put("path/a.png", b"x")
    _, items = listed(house, tenant, digits_model)
    stopped = threading.Event()
    stopped.set()
    assert code_of(reader.read(items, 1000, Requester(stopped=stopped))[0]) == "stopped"


def test_an_empty_folder_fails_its_job_and_says_so(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, _ = listed(house, tenant, digits_model)
    assert job.status == "failed"
    assert job.errors is not None
    assert job.errors[0]["code"] == "empty_input"


def test_a_bucket_that_is_not_there_fails_the_job(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    allow_path(house, s3, "acme", "s3://missing/")
    job, _ = listed(house, tenant, digits_model, prefix="s3://missing/a/")
    assert job.status == "failed"
    assert job.errors is not None
    assert job.errors[0]["code"] in ("input_gone", "bucket_denied")


def test_a_key_that_cannot_be_read_is_told(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    s3.put("path/a.png", b"x")
    s3.put_raw("path//b.png", b"y")
    job, _ = listed(house, tenant, digits_model)
    assert job.status == "failed"
    assert job.errors is not None
    assert job.errors[0]["code"] == "unreadable_key"
    assert "s3://photos/path" in job.errors[0]["message"]


def test_names_that_were_shortened_or_repeat_are_told_apart(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    for end in "ab":
        s3.put(f"path/{'d' * 100}/{'e' * 200}/{'f' * 200}/{end}.png", b"x")
    _, items = listed(house, tenant, digits_model)
    assert len({item.custom_id for item in items}) == 2


def test_an_owner_is_written_beside_each_item_and_read_back(tenant: NewKey) -> None:
    from jobs.buckets.sources import read_owner

    for owner in (Owner("ten_a"), Owner("ten_a", "con_b")):
        assert read_owner(str(owner)) == owner
    assert read_location("s3://photos/path") != read_location("gs://photos/path")
