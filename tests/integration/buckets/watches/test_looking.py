"""What one look at a watched folder finds and stores, and that nothing is found twice."""

import dataclasses
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground
from jobs.base.errors import Unavailable
from jobs.base.states import JobStatus
from jobs.buckets.allowances import allow, withdraw
from jobs.tables import ModelVersion, Watch
from jobs.versions.registry import register
from jobs.watches.polling import Most
from tests.integration.buckets.conftest import allow_path
from tests.integration.buckets.servers import S3
from tests.integration.buckets.watches.conftest import Watching
from tests.integration.jobs.checks import check_job
from tests.integration.jobs.queue.test_outages import LosesAnswers


@pytest.fixture
def disk(house: Ground, tenant: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("disk") / "photos"
    made.mkdir()
    allow(house.database, house.settings, "acme", made.as_uri(), "")
    return made


def test_what_lies_there_and_what_comes_becomes_an_item_once(watching: Watching, s3: S3) -> None:
    s3.put("path/b.png", b"b")
    s3.put("path/notes.txt", b"no picture")
    watch = watching.add(priority="low", metadata={"of": "the gate"})
    assert watching.look()
    assert not watching.look(), "it is not due yet"
    # Keys do not come in order of time.
    s3.put("path/a.png", b"a")
    s3.put("path/c/d.png", b"d")
    watching.look_again()
    watching.look_again()
    assert watching.names() == [["b.png"], ["a.png", "c/d.png"]]
    view = watching.view(watch)
    assert (view["state"], view["objects_seen"], view["jobs_created"]) == ("active", 3, 2)
    assert view["backlog"] == {"objects": 0, "items": 3}
    assert view["skipped"]["by_reason"] == {"not_media": 1}
    assert view["last_listed_at"] <= view["next_listing_at"]
    for job in watching.jobs():
        check_job(watching.house, job.id)
        assert job.status is JobStatus.IN_PROGRESS
        assert (job.watch_id, job.priority, job.metadata_) == (watch, "low", {"of": "the gate"})


def test_an_object_that_changed_becomes_an_item_again(watching: Watching, s3: S3) -> None:
    s3.put("path/a.png", b"a")
    s3.put("path/b.png", b"b")
    watching.add()
    assert watching.look()
    s3.put("path/a.png", b"other")
    watching.look_again()
    watching.look_again()
    assert watching.names() == [["a.png", "b.png"], ["a.png"]]
    assert watching.items()[1][0].size == 5


def test_an_object_that_is_empty_waits_until_it_is_filled(watching: Watching, s3: S3) -> None:
    s3.put("path/a.png", b"")
    watch = watching.add()
    assert watching.look()
    assert watching.view(watch)["skipped"]["by_reason"] == {"empty": 1}
    s3.put("path/a.png", b"a")
    watching.look_again()
    assert watching.names() == [["a.png"]]


@pytest.mark.parametrize("lie_there", [[], ["a.png"]])
def test_what_lies_there_already_is_left_out_if_so_wanted(
    watching: Watching, s3: S3, lie_there: list[str]
) -> None:
    for name in lie_there:
        s3.put(f"path/{name}", b"a")
    watch = watching.add(only_new=True)
    assert watching.look()
    view = watching.view(watch)
    assert (view["only_new"], view["objects_seen"], watching.names()) == (True, 0, [])
    s3.put("path/b.png", b"b")
    watching.look_again()
    watching.look_again()
    assert watching.names() == [["b.png"]]


def test_globs_choose_what_is_watched(watching: Watching, s3: S3) -> None:
    for name in ("a.png", "a.jpg", "old/b.png"):
        s3.put(f"path/{name}", b"x")
    watching.add(include=["*.png"], exclude=["old/**"])
    assert watching.look()
    assert watching.names() == [["a.png"]]


def test_a_file_of_the_server_is_taken_once_it_holds_still(watching: Watching, disk: Path) -> None:
    (disk / "a.png").write_bytes(b"half")
    watching.add(disk.as_uri())
    assert watching.look()
    (disk / "a.png").write_bytes(b"half and half")
    os.utime(disk / "a.png", ns=(1, 1))
    (disk / "b.png").write_bytes(b"b")
    watching.look_again()
    assert watching.names() == []
    watching.look_again()
    assert watching.names() == [["a.png", "b.png"]]
    watching.look_again()
    assert len(watching.names()) == 1


def test_many_objects_become_several_jobs_and_what_has_no_room_the_next_look_takes(
    watching: Watching, s3: S3
) -> None:
    names = [f"{number:02d}.png" for number in range(23)]
    for name in random.Random(2).sample(names, len(names)):
        s3.put(f"path/{name}", b"x")
    watch = watching.add()
    few = Most(items=4, jobs=2, held=5)
    assert watching.look(few)
    assert [len(each) for each in watching.names()] == [4, 4]
    assert watching.view(watch)["backlog"] == {"objects": 15, "items": 8}
    # It is due again at once.
    assert watching.look(few)
    assert watching.look(few)
    assert not watching.look(few)
    assert [name for each in watching.names() for name in each] == names
    assert watching.view(watch)["backlog"] == {"objects": 0, "items": 23}


def test_a_watch_that_fails_says_why_marks_nothing_as_seen_and_goes_on_by_itself(
    watching: Watching, s3: S3, allowed: str
) -> None:
    s3.put("path/a.png", b"a")
    watch = watching.add()
    withdraw(watching.house.database, allowed)
    assert watching.look()
    view = watching.view(watch)
    assert view["state"] == "failing"
    assert "not among the buckets that you may name" in view["last_error"]
    assert view["last_listed_at"] is None
    allow_path(watching.house, s3, "acme", "s3://photos/path/")
    watching.look_again()
    view = watching.view(watch)
    assert (view["state"], view["last_error"]) == ("active", None)
    assert watching.names() == [["a.png"]]


def test_the_pause_of_a_watch_that_fails_grows_to_an_hour(watching: Watching, allowed: str) -> None:
    watch = watching.add(interval_seconds=30)
    withdraw(watching.house.database, allowed)
    pauses = []
    for _ in range(8):
        watching.look_again()
        pauses.append(watching.view(watch)["next_listing_at"] - watching.house.database.now())
    assert [round(pause / 10) for pause in pauses] == [6, 12, 24, 48, 96, 192, 360, 360]


def test_a_job_that_would_be_refused_leaves_its_objects_in_the_backlog(
    watching: Watching, s3: S3
) -> None:
    for name in "ab":
        s3.put(f"path/{name}.png", b"x")
    watch = watching.add()
    with watching.house.database.write() as session:
        session.execute(update(Watch).values(requested={"model": "gone", "params": {}}))
    assert watching.look()
    view = watching.view(watch)
    assert (view["state"], view["backlog"]) == ("failing", {"objects": 2, "items": 0})
    assert "gone" in view["last_error"]
    assert (watching.jobs(), view["objects_seen"]) == ([], 0)
    assert [*watching.house.storage.list("jobs/"), *watching.house.storage.list("watches/")] == []
    with watching.house.database.write() as session:
        session.execute(update(Watch).values(requested={"model": "digits", "params": {}}))
    answer = watching.caller.post(f"/v1/watches/{watch}/resume")
    assert answer.json["state"] == "active"
    assert watching.look()
    assert watching.names() == [["a.png", "b.png"]]


def test_parameters_that_the_model_does_not_take_any_more_are_told(
    watching: Watching, s3: S3
) -> None:
    s3.put("path/a.png", b"x")
    watch = watching.add()
    with watching.house.database.write() as session:
        session.execute(update(Watch).values(requested={"model": "digits", "params": {"x": 1}}))
    assert watching.look()
    assert "x" in watching.view(watch)["last_error"]


def test_a_look_that_breaks_off_stores_nothing_and_the_next_one_finds_the_same(
    watching: Watching, s3: S3
) -> None:
    s3.put("path/a.png", b"a")
    watching.add()

    def break_off() -> None:
        raise Unavailable("The database is away.")

    assert watching.look(before_order=break_off)
    assert watching.jobs() == []
    watching.look_again()
    assert watching.names() == [["a.png"]]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_commit_whose_answer_is_lost_stores_a_job_once(
    watching: Watching, s3: S3, fault: str
) -> None:
    s3.put("path/a.png", b"a")
    watch = watching.add()
    # The lease is stored; of what was found nobody knows whether it was.
    house, lost = watching.house, {fault: 1}
    database = LosesAnswers(house.settings.database_url, spared=1, **lost)
    watching.house = dataclasses.replace(house, database=database)
    assert watching.look()
    database.close()
    watching.house = house
    watching.look_again()
    assert watching.names() == [["a.png"]]
    check_job(house, watching.jobs()[0].id)
    assert watching.view(watch)["jobs_created"] == 1
    assert len(list(house.storage.list("watches/"))) == 1


@pytest.mark.parametrize("act", ["pause", "pause and resume", "delete"])
def test_a_watch_that_is_paused_or_deleted_meanwhile_makes_no_job_any_more(
    watching: Watching, s3: S3, act: str
) -> None:
    s3.put("path/a.png", b"a")
    watch = watching.add()

    def meanwhile() -> None:
        if act == "delete":
            assert watching.caller.delete(f"/v1/watches/{watch}").status_code == 200
        else:
            assert watching.caller.post(f"/v1/watches/{watch}/pause").json["state"] == "paused"
        if act == "pause and resume":
            assert watching.caller.post(f"/v1/watches/{watch}/resume").json["state"] == "active"

    assert watching.look(before_order=meanwhile)
    assert watching.jobs() == []
    assert [*watching.house.storage.list("jobs/"), *watching.house.storage.list("watches/")] == []
    watching.hurry()
    assert watching.look() == (act == "pause and resume")


def test_two_processes_that_look_at_the_same_folder_make_one_job(
    watching: Watching, s3: S3
) -> None:
    """One whose lease ran out while it was looking is fenced off."""
    s3.put("path/a.png", b"a")
    watching.add()

    def meanwhile() -> None:
        watching.hurry()
        with ThreadPoolExecutor(1) as another:
            assert another.submit(watching.look).result()

    assert watching.look(before_order=meanwhile)
    assert watching.names() == [["a.png"]]
    assert len(list(watching.house.storage.list("jobs/"))) == 1
    assert len(list(watching.house.storage.list("watches/"))) == 1


def test_what_was_seen_is_kept_once_and_what_nobody_names_is_found(
    watching: Watching, s3: S3
) -> None:
    watch = watching.add()
    for name in "abc":
        s3.put(f"path/{name}.png", b"x")
        watching.look_again()
    (kept,) = watching.house.storage.list("watches/")
    stray = "watches/seen_00000000000000000000000000.parquet"
    watching.house.storage.put(stray, [b"x"])
    assert delete_strays(watching.house, older_than_s=-60) == 1
    assert list(watching.house.storage.list("watches/")) == [kept]
    assert watching.caller.delete(f"/v1/watches/{watch}").status_code == 200
    assert list(watching.house.storage.list("watches/")) == []


def test_what_was_seen_and_is_lost_is_told_and_nothing_is_run_twice(
    watching: Watching, s3: S3
) -> None:
    s3.put("path/a.png", b"a")
    watch = watching.add()
    assert watching.look()
    watching.house.storage.delete(list(watching.house.storage.list("watches/")))
    watching.look_again()
    view = watching.view(watch)
    assert (view["state"], view["jobs_created"]) == ("failing", 1)
    assert "not in storage any more" in view["last_error"]


def test_a_job_runs_the_version_that_is_the_newest_when_it_is_made(
    watching: Watching, s3: S3, digits_model: ModelVersion
) -> None:
    s3.put("path/a.png", b"a")
    watching.add()
    assert watching.look()
    record = {**digits_model.record, "labels": [str(digit) for digit in range(9)]}
    house = watching.house
    register(house.database, house.storage, "digits", record, b"other", "sha256:" + "1" * 64)
    s3.put("path/b.png", b"b")
    watching.look_again()
    assert [job.model_version for job in watching.jobs()] == [1, 2]
