"""Cancels, deadlines and deletions in the very moment in which a job's last shards commit."""

import base64
import time
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import update

from jobs.base.database import db_now
from jobs.queue.completion import expire_overdue
from jobs.tables import Job as Row
from pixelmill import ApiError, Job
from tests.e2e.stacks import wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import LEASE_S, House
from tests.faults.rig.oracle import check
from tests.faults.rig.pictures import Answer, direct_inference, write_job

ITEMS = 64
JOBS = 12


class Aim:
    """How long after its last claim a job is struck: closer to its end with every outcome."""

    def __init__(self) -> None:
        self.delay_s = 0.2

    def learn(self, came_in_time: bool) -> None:
        self.delay_s = min(2.0, self.delay_s * (1.25 if came_in_time else 0.75))


@pytest.mark.pick
def test_cancel_racing_the_last_commit(house: House, choose, report: Report) -> None:
    def strike(job: Job) -> None:
        with house.client() as client:
            try:
                client.cancel(job)
            except ApiError as err:
                if err.status != 409:  # it was over
                    raise

    race(house, choose, strike, "cancelled")
    report("a cancel in the moment of the last commit", ITEMS * JOBS)


def test_deadline_racing_the_last_commit(house: House, choose, report: Report) -> None:
    def strike(job: Job) -> None:
        with house.ground.database.write() as session:
            overdue = update(Row).where(Row.id == job.id).values(expires_at=db_now() - 0.001)
            session.execute(overdue)
        # What the sweeper does, of which there may be many: here is one that comes in this moment.
        expire_overdue(house.ground.database)

    race(house, choose, strike, "expired")
    report("a deadline in the moment of the last commit", ITEMS * JOBS)


def race(house: House, choose, strike: Callable[[Job], None], early: str) -> None:
    """Strike job after job near its end; each ends completed or early, and is right either way."""
    aim, outcomes, margins = Aim(), Counter(), []
    for _ in range(JOBS):
        job, expected = house.submit(ITEMS)
        wait_for(lambda job=job: _all_claimed(house, job), 60, "the last claim")
        time.sleep(aim.delay_s * choose.uniform(0.9, 1.1))
        strike(job)
        verdict = check(house, job, expected, status=("completed", early))
        with house.ground.database.read() as session:
            row = session.get_one(Row, job.id)
        # Struck, but every item had run all the same: the tightest of all.
        was_late = row.ended_at is not None and row.completed == ITEMS
        outcomes[verdict.job.status + (" with every item" if was_late else "")] += 1
        if row.cancelling_at is not None:
            margins.append((row.ended_at or 0) - row.cancelling_at)
        aim.learn(verdict.job.status == early)
    print(f"\n{dict(outcomes)}; ended after the strike: {[f'{each:.2f}' for each in margins]}")
    assert outcomes["completed with every item"] > 0
    assert sum(outcomes.values()) - outcomes["completed with every item"] > 0


def test_delete_racing_the_workers(house: House, tmp_path, choose, report: Report) -> None:
    items, deleted = 600, []
    expected = write_job(tmp_path / "in.zip", items)
    with house.client() as client:
        file = client.upload(tmp_path / "in.zip")
        other = client.submit(file, model="paced", webhook=house.receiver.url)
        for _ in range(3):
            job = client.submit(file, model="paced")
            house.await_share(job, choose.uniform(0, 0.7), items)
            time.sleep(choose.uniform(0, 0.3))
            delete(house, job)
            deleted.append(job)
    # The other job needs the same input, and is none the worse for it.
    check(house, other, expected)
    check_gone(house, deleted)
    report("a job deleted while its shards run", items * (len(deleted) + 1))


def test_what_comes_late_for_a_deleted_job_is_not_taken_for_the_next_ones(
    house: House, choose, report: Report
) -> None:
    deleted, held = [], 0
    for _ in range(5):
        job, _ = submit_inline(house, "slow")
        wait_for(lambda job=job: house.leased(job), 60, f"a claim of {job.id}")
        time.sleep(choose.uniform(0, 0.4))
        held += len(house.leased(job))
        delete(house, job)
        deleted.append(job)
        check(house, *submit_inline(house, "slow"), timeout_s=60)
    assert held, "nothing ran that could have come too late"
    check_gone(house, deleted)
    report("a job submitted while a deleted one still runs", 2 * ITEMS * len(deleted))


def delete(house: House, job: Job) -> None:
    with house.http() as http:
        receipt = http.delete(f"/v1/jobs/{job.id}")
        assert receipt.status_code == 200, receipt.text
        seen = receipt.json()
        assert (seen["id"], seen["object"], seen["deleted"]) == (job.id, "job", True)
        assert http.get(f"/v1/jobs/{job.id}").status_code == 404
        assert http.get(f"/v1/jobs/{job.id}/results").status_code == 404


def check_gone(house: House, deleted: list[Job]) -> None:
    """Hold that nothing of deleted jobs is left when their last workers are at their end."""
    for job in deleted:
        wait_for(lambda job=job: not _blobs(house, job), 60, f"the end of what {job.id} left")
    time.sleep(LEASE_S)
    assert [name for job in deleted for name in _blobs(house, job)] == []
    assert not {job.id for job in deleted} & {job.id for job in _listed(house)}


def submit_inline(house: House, model: str) -> tuple[Job, list[Answer]]:
    """Submit pictures inside the request, so that they run at once."""
    files, answers = direct_inference()
    data = [base64.b64encode(files[index]).decode() for index in range(ITEMS)]
    requests = [{"input": {"data": each}} for each in data]
    with house.client() as client:
        return client.submit(requests, model=model, webhook=house.receiver.url), answers[:ITEMS]


def _all_claimed(house: House, job: Job) -> bool:
    with house.ground.database.read() as session:
        row = session.get_one(Row, job.id)
        return row.in_progress_at is not None and row.pending_shards == 0


def _blobs(house: House, job: Job) -> list[str]:
    return list(house.ground.storage.list(f"jobs/{job.id}/"))


def _listed(house: House) -> list[Job]:
    with house.client() as client:
        return list(client.jobs())
