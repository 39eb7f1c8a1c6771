"""Folders of the server (file://): from the operator's list alone, and no link leads out."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, InvalidRequest
from jobs.buckets.allowances import allow
from jobs.buckets.sources import Buckets
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem
from tests.integration.buckets.servers import S3
from tests.integration.buckets.test_reading import code_of, listed
from tests.integration.buckets.test_submission import submit
from workers.egress import Egress, EgressPolicy
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import Fetches
from workers.engine.reading.reader import Reader


@pytest.fixture
def folder(house: Ground, tenant: NewKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that the tenant may name, away from our own."""
    room = tmp_path_factory.mktemp("disk")
    made = room / "shared" / "photos"
    (made / "deep").mkdir(parents=True)
    (made / "a.png").write_bytes(b"a")
    (made / "deep" / "ü b.png").write_bytes(b"b")
    (made / "notes.txt").write_bytes(b"text")
    (room / "shared" / "photosX").mkdir()
    (room / "shared" / "photosX" / "c.png").write_bytes(b"of somebody else")
    (room / "secret.png").write_bytes(b"secret")
    allow(house.database, house.settings, "acme", made.as_uri(), "")
    return made


@pytest.fixture
def reader(house: Ground, buckets: Buckets) -> Iterator[Reader]:
    egress = Egress(EgressPolicy())
    with ThreadPoolExecutor(4) as threads:
        yield Reader(house.storage, Fetches(egress, threads, FetchBudget()), threads, buckets)
    egress.close()


def test_files_are_listed_and_read(
    house: Ground, tenant: NewKey, digits_model: ModelVersion, folder: Path, reader: Reader
) -> None:
    job, items = listed(house, tenant, digits_model, prefix=folder.as_uri())
    assert [item.custom_id for item in items] == ["a.png", "deep/ü b.png"]
    assert reader.read(items, 1000) == [b"a", b"b"]
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {"not_media": 1}


def test_a_file_that_changed_or_went_costs_its_item(
    house: Ground, tenant: NewKey, digits_model: ModelVersion, folder: Path, reader: Reader
) -> None:
    (folder / "b.png").write_bytes(b"b")
    _, items = listed(house, tenant, digits_model, prefix=folder.as_uri())
    (folder / "a.png").write_bytes(b"b")
    os.utime(folder / "a.png", ns=(1, 1))
    (folder / "b.png").unlink()
    changed, gone, kept = reader.read(items, 1000)
    assert (code_of(changed), code_of(gone), kept) == ("input_changed", "input_gone", b"b")


def test_links_and_devices_are_passed_by_and_never_followed(
    house: Ground, tenant: NewKey, digits_model: ModelVersion, folder: Path, reader: Reader
) -> None:
    secret = folder.parent.parent / "secret.png"
    (folder / "link.png").symlink_to(secret)
    (folder / "out").symlink_to(folder.parent.parent)
    os.mkfifo(folder / "pipe.png")
    os.mkdir(os.fsencode(folder) + b"/\xff")
    job, items = listed(house, tenant, digits_model, prefix=folder.as_uri())
    assert [item.custom_id for item in items] == ["a.png", "deep/ü b.png"]
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {
        "symlink": 2,
        "device": 1,
        "unreadable_name": 1,
        "not_media": 1,
    }
    # Nor when a link takes a file's place, or a folder's, after it was listed.
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(secret)
    (folder / "deep").rename(folder / "was")
    (folder / "deep").symlink_to(folder / "was")
    assert [code_of(each) for each in reader.read(items, 1000)] == ["input_gone"] * 2


def test_a_folder_that_is_a_link_itself_is_not_entered(
    house: Ground, tenant: NewKey, digits_model: ModelVersion, folder: Path
) -> None:
    (folder / "out").symlink_to(folder.parent.parent)
    job, _ = listed(house, tenant, digits_model, prefix=f"{folder.as_uri()}/out")
    assert job.errors is not None
    assert job.errors[0]["code"] == "input_gone"
    assert "no link is followed" in job.errors[0]["message"]


def test_only_what_was_allowed_may_be_named(
    caller: Caller, house: Ground, s3: S3, folder: Path
) -> None:
    for path in (folder.parent, f"{folder}X", "/etc", f"{folder}/../photosX"):
        check_problem(submit(caller, prefix=f"file://{path}/"), 422)
    stored = caller.post("/v1/connections", json={"name": "x", "kind": "s3", "credentials": {}})
    assert stored.status_code == 201
    check_problem(submit(caller, prefix=folder.as_uri(), connection="x"), 422)
    answer = submit(caller, prefix=folder.as_uri(), dry_run=True)
    assert answer.json["total"] == 2


def test_our_own_folders_and_the_whole_server_cannot_be_allowed(
    house: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    blobs = house.settings.storage_url
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "blobs")
    for address in (blobs, f"{blobs}/jobs", tmp_path.as_uri(), link.as_uri()):
        with pytest.raises(Conflict):
            allow(house.database, house.settings, "acme", address, "")
    for address in ("file:///", "file://host/a"):
        with pytest.raises(InvalidRequest):
            allow(house.database, house.settings, "acme", address, "")
