"""Results in a folder of the server (file://): no link is followed, no file is half there."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.base.bootstrap import Ground
from tests.integration.buckets.outputs.conftest import Outputs, may_write

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def room(house: Ground, outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("disk") / "lake"
    made.mkdir()
    may_write(house, made.as_uri(), "")
    return made


def test_folders_below_the_allowed_one_are_made(outputs: Outputs, room: Path) -> None:
    job = outputs.run(3, f"{room.as_uri()}/2026/november")
    assert outputs.write()
    folder = room / "2026" / "november" / job
    assert sorted(os.listdir(folder)) == ["_manifest.json", "part-00000.parquet"]
    assert len(pq.read_table(folder)) == 3


def test_a_disk_that_is_not_mounted_is_not_written_beside(outputs: Outputs, room: Path) -> None:
    room.rmdir()
    job = outputs.run(1, f"{room.as_uri()}/run")
    assert outputs.write()
    assert outputs.view(job)["error"]["code"] == "bucket_gone"
    assert not room.exists()


def test_no_link_leads_out(outputs: Outputs, room: Path) -> None:
    outside = room.parent / "outside"
    outside.mkdir()
    (room / "link").symlink_to(outside)
    there = outputs.run(1, f"{room.as_uri()}/link/run")
    assert outputs.write()
    assert outputs.view(there)["error"]["code"] == "bucket_denied"
    # Whoever may write on the disk knows the job's id as soon as it is submitted.
    planted = outputs.run(1, room.as_uri())
    (room / planted).symlink_to(outside)
    assert outputs.write()
    assert outputs.view(planted)["error"]["code"] == "bucket_denied"
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_part_is_replaced_and_not_written_through(
    outputs: Outputs, room: Path
) -> None:
    victim = room.parent / "victim"
    victim.write_bytes(b"of somebody else")
    job = outputs.run(1, room.as_uri())
    (room / job).mkdir()
    (room / job / "part-00000.parquet").symlink_to(victim)
    os.link(victim, room / job / "_manifest.json")
    assert outputs.write()
    assert outputs.view(job)["status"] == "written"
    assert victim.read_bytes() == b"of somebody else"
    assert not (room / job / "part-00000.parquet").is_symlink()


def test_a_file_in_the_way_is_told(outputs: Outputs, room: Path) -> None:
    (room / "run").write_bytes(b"no folder")
    job = outputs.run(1, f"{room.as_uri()}/run")
    assert outputs.write()
    assert outputs.view(job)["error"]["code"] == "bucket_denied"
    assert (room / "run").read_bytes() == b"no folder"


def test_what_a_killed_try_left_is_cleared_away(outputs: Outputs, room: Path) -> None:
    job = outputs.run(1, room.as_uri())
    (room / job).mkdir()
    (room / job / ".part-00000.parquet.0a0b0c0d.writing").write_bytes(b"half a part")
    assert outputs.write()
    assert sorted(os.listdir(room / job)) == ["_manifest.json", "part-00000.parquet"]
