"""The API killed with all its processes, while it is being told something."""

import base64
import hashlib
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from jobs.tables import File, IdempotencyKey, Job
from pixelmill.client.records import Job as Shown
from tests.e2e.stacks import is_alive, wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import House
from tests.faults.rig.oracle import check
from tests.faults.rig.pictures import direct_inference, write_job

PICTURES = 4


class SlowFile(io.BytesIO):
    """Gives its bytes in blocks with pauses; strikes once, before one of them."""

    block = 128 * 1024

    def __init__(self, data: bytes, strike_at: int, strike: Callable[[], None]) -> None:
        super().__init__(data)
        self._left, self._strike = strike_at, strike

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left == 0:
            self._strike()
        self._left -= 1
        time.sleep(0.005)
        return super().read(min(size, self.block) if size and size > 0 else size)


def test_api_killed_in_the_middle_of_an_upload_leaves_no_half_of_it(
    house: House, tmp_path, choose, report: Report
) -> None:
    items, name = 160, f"upload-{choose.random()}.zip"
    files, _ = direct_inference()
    # Larger than what the store takes at once, so that a part lies there already.
    padding = os.urandom(200_000)
    padded = {index: (files[index] + padding, "") for index in range(items)}
    expected = write_job(tmp_path / name, items, padded)
    data = (tmp_path / name).read_bytes()
    recoveries: list[float] = []

    def strike() -> None:
        killed = house.kill_family("api")
        assert len(killed) > 1
        wait_for(lambda: not any(map(is_alive, killed)), 10, "the API's end")
        assert _files(house, name) == []
        recoveries.append(house.await_api())

    strike_at = choose.randrange(20, len(data) // SlowFile.block - 5)
    with house.client() as client:
        file = client.upload(SlowFile(data, strike_at, strike), filename=name)
        assert len(recoveries) == 1
        assert [each.id for each in _files(house, name)] == [file.id]
        assert _files(house, name)[0].sha256 == hashlib.sha256(data).hexdigest()
        job = client.submit(file, model="paced", webhook=house.receiver.url)
    check(house, job, expected)
    # Nothing lies in the store that no file of a tenant stands for.
    with house.ground.database.read() as session:
        known = set(session.scalars(select(File.blob)))
    assert set(house.ground.storage.list("inputs/")) <= known
    report("SIGKILL of the API and its processes during an upload", items, recoveries[0])


@pytest.mark.pick
def test_submissions_repeated_under_their_keys_make_one_job_each_when_the_api_is_killed(
    house: House, choose, report: Report
) -> None:
    files, answers = direct_inference()
    run = f"run-{choose.random()}"
    struck = Event()
    recoveries: list[float] = []

    def body(number: int) -> dict[str, Any]:
        inputs = [base64.b64encode(files[number + each]).decode() for each in range(PICTURES)]
        return {
            "model": "paced",
            "requests": [{"input": {"data": data}} for data in inputs],
            "webhook": {"url": house.receiver.url},
            "metadata": {"run": run},
        }

    def submit_until_struck(sender: int) -> list["Answer"]:
        found: list[Answer] = []
        with house.http() as http:
            while not struck.is_set() or len(found) < 3:
                number = sender * 40 + len(found)
                found.append(_insist(http, f"{run}/{number}", body(number), number))
        return found

    with ThreadPoolExecutor(6) as senders:
        sent = [senders.submit(submit_until_struck, sender) for sender in range(6)]
        try:
            for _ in range(2):
                time.sleep(choose.uniform(0.05, 0.8))
                before = house.stack.pids["api"]
                house.kill_family("api")
                house.await_successor("api", before)
                recoveries.append(house.await_api())
        finally:
            struck.set()
        found = [answer for each in sent for answer in each.result()]
    repeated = [answer for answer in found if answer.tries > 1]
    replayed = [answer for answer in repeated if answer.was_replayed]
    print(f"\n{len(found)} keys, {len(repeated)} repeated, {len(replayed)} of them stored before")
    assert repeated
    with house.ground.database.read() as session:
        keys = select(IdempotencyKey).where(IdempotencyKey.key.startswith(run + "/"))
        stored = {row.key: row.job_id for row in session.scalars(keys)}
        made = session.scalar(select(func.count()).where(Job.metadata_["run"].as_string() == run))
    assert stored == {answer.key: answer.job.id for answer in found}
    assert made == len(set(stored.values())) == len(found)
    for answer in found:
        check(house, answer.job, answers[answer.number : answer.number + PICTURES])
    items = len(found) * PICTURES
    report("SIGKILL of the API during submissions, each repeated", items, max(recoveries))


class Answer:
    """What came of a key."""

    def __init__(self, key: str, number: int, tries: int, response: httpx.Response) -> None:
        self.key, self.number, self.tries = key, number, tries
        self.job = Shown.from_raw(response.json())
        self.was_replayed = response.headers.get("Idempotent-Replayed") == "true"


def _insist(http: httpx.Client, key: str, body: dict[str, Any], number: int) -> Answer:
    """Submit under a key until the answer is 202."""
    for tries in range(1, 200):
        try:
            response = http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if response.status_code == 202:
            return Answer(key, number, tries, response)
        assert response.status_code in (409, 503), response.text
        time.sleep(0.05)
    raise AssertionError(f"no 202 for {key}")


def _files(house: House, name: str) -> list[File]:
    with house.ground.database.read() as session:
        return list(session.scalars(select(File).where(File.filename == name)))
