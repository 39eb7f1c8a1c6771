"""Storage that is full, away, failing or slow: workers wait, the API says when to come again."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import Report
from tests.faults.rig.houses import STALL_S, House, open_house
from tests.faults.rig.oracle import check
from tests.faults.rig.stores import Gate, Mode, filled, object_store, small_room
from tests.receivers import Receiver

# Enough for the shipped models and some jobs; quickly filled.
ROOM = 48 * 1024 * 1024
# What the workers say when they wait.
WAITS = "shard_waits_for_storage"


def upload(house: House) -> httpx.Response:
    """Send a file of a megabyte, once and without the client's patience."""
    info = house.stack.info
    return httpx.post(
        f"{info['url']}/v1/files?filename=large.bin",
        content=bytes(1024 * 1024),
        headers={
            "authorization": f"Bearer {info['api_key']}",
            "content-type": "application/octet-stream",
        },
        timeout=60,
    )


def hold_that_uploads_are_put_off(house: House) -> None:
    answer = upload(house)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0


def files_of(house: House) -> set[str]:
    info = house.stack.info
    headers = {"authorization": f"Bearer {info['api_key']}"}
    answer = httpx.get(f"{info['url']}/v1/files?limit=100", headers=headers).json()
    return {file["id"] for file in answer["data"]}


@pytest.fixture(scope="module")
def cramped(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose blobs lie on a file system of their own, of little room."""
    place = tmp_path_factory.mktemp("cramped") / "blobs"
    with (
        small_room(place, ROOM) as room,
        open_house(receiver, PIXELMILL_STORAGE_URL=room.as_uri()) as house,
    ):
        yield house


def test_storage_full_for_some_seconds(
    cramped: House, choose: random.Random, report: Report
) -> None:
    items, mark = 1600, cramped.mark()
    room = Path(cramped.ground.storage.url.removeprefix("file://"))
    job, expected = cramped.submit(items)
    cramped.await_share(job, choose.uniform(0.0, 0.4), items)
    time.sleep(choose.uniform(0, 0.3))
    inputs, listed = set(room.glob("inputs/*/*")), files_of(cramped)
    with filled(room):
        full_until = time.monotonic() + choose.uniform(2, 4)
        hold_that_uploads_are_put_off(cramped)
        assert set(room.glob("inputs/*/*")) == inputs
        assert files_of(cramped) == listed
        time.sleep(max(0.0, full_until - time.monotonic()))
        assert WAITS in cramped.log_since(mark)
    seconds = cramped.await_commit(job)
    check(cramped, job, expected)
    # Whole segments of this job alone, and not one that was begun.
    segments = {shard.segment for shard in cramped.shards(job)}
    assert {str(path.relative_to(room)) for path in room.glob(f"jobs/{job.id}/segments/*")} == (
        segments
    )
    report("storage full for some seconds", items, seconds)


@pytest.fixture(scope="module")
def remote(receiver: Receiver) -> Iterator[tuple[House, Gate]]:
    """A house whose blobs lie in an object store, behind a gate."""
    with object_store("pixelmill") as gate, pytest.MonkeyPatch.context() as patch:
        environ = {
            "PIXELMILL_STORAGE_URL": "s3://pixelmill/blobs",
            "AWS_ENDPOINT": f"http://127.0.0.1:{gate.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        # The test looks into the store as the house does.
        for name, value in environ.items():
            patch.setenv(name, value)
        with open_house(receiver, **environ) as house:
            yield house, gate


@pytest.mark.parametrize(
    ("mode", "words"), [("refuse", "refuses connections"), ("fail", "answers 500")]
)
def test_the_object_store_away_for_some_seconds(
    remote: tuple[House, Gate], choose: random.Random, report: Report, mode: Mode, words: str
) -> None:
    house, gate = remote
    items = 1600
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.4), items)
    time.sleep(choose.uniform(0, 0.3))
    mark, struck, listed = house.mark(), gate.struck, files_of(house)
    gate.set(mode)
    try:
        away_until = time.monotonic() + choose.uniform(5, 7)
        hold_that_uploads_are_put_off(house)
        assert files_of(house) == listed
        # By now nothing is left that was written before and only had to be committed.
        finished = house.finished(job)
        time.sleep(max(1.0, away_until - time.monotonic()))
        assert house.finished(job) == finished
        assert gate.struck > struck
    finally:
        gate.set("open")
    seconds = house.await_commit(job)
    check(house, job, expected)
    assert "process_stalled" not in house.log_since(mark)
    report(f"the object store {words} for some seconds", items, seconds)


def test_an_object_store_that_is_slow(
    remote: tuple[House, Gate], choose: random.Random, report: Report
) -> None:
    house, gate = remote
    items, mark, struck = 1200, house.mark(), gate.struck
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.3), items)
    delay_s = choose.uniform(0.5, 1.5)
    gate.set("delay", delay_s)
    try:
        seconds = house.await_commit(job)
        time.sleep(choose.uniform(2, 4))
    finally:
        gate.set("open")
    check(house, job, expected)
    assert gate.struck > struck
    assert "process_stalled" not in house.log_since(mark)
    report("every answer of the object store takes a second", items, seconds)


def test_an_object_store_that_falls_silent(
    remote: tuple[House, Gate], choose: random.Random, report: Report
) -> None:
    """It takes calls and never answers them, for longer than a lease and a stall."""
    house, gate = remote
    items, struck = 1600, gate.struck
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.3), items)
    time.sleep(choose.uniform(0, 0.3))
    gate.set("silence")
    try:
        time.sleep(STALL_S + choose.uniform(1, 3))
    finally:
        gate.set("open")
    seconds = house.await_commit(job)
    check(house, job, expected)
    assert gate.struck > struck
    report("the object store answers nothing, longer than a stall", items, seconds)
