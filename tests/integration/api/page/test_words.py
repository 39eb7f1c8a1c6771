"""What goes wrong with a job that is under way is said on its page, in words."""

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.oversight.open_jobs import silent_holders
from jobs.presence.workers import announce
from jobs.queue.deliveries import list_deliveries
from jobs.queue.scheduling import claim
from jobs.queue.shard_leases import take_back
from jobs.queue.turns import Line
from jobs.queue.webhooks import DELIVERED
from jobs.tables import Delivery, Job, Tenant, WorkerProcess
from tests.integration.api.callers import Caller
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows

WORKER = "host-1/cpu0"


@pytest.fixture
def running(caller: Caller, ground: Ground) -> str:
    """A job of which a worker runs a part."""
    announce(ground.database, WORKER, "cpu", "1")
    job = caller.submit(2)["id"]
    assert claim(ground.database, Line("cpu"), WORKER, 30) is not None
    return job


def heard_of(ground: Ground, seconds_ago: float) -> None:
    with ground.database.write() as session:
        session.execute(update(WorkerProcess).values(seen_at=db_now() - seconds_ago))


def test_a_worker_that_gives_no_sign_is_named_before_anybody_calls_it_dead(
    visitor: Visitor, ground: Ground, running: str
) -> None:
    heard_of(ground, 5)
    assert "last heard of" not in visitor.get(f"/jobs/{running}/live").text
    heard_of(ground, 8)
    text = visitor.get(f"/jobs/{running}/live").text
    assert f"The worker {WORKER}, which runs a part of it, was last heard of 8 s ago." in text
    assert "Nothing is lost by it" in text


def test_a_worker_that_was_killed_is_told_at_once(
    visitor: Visitor, ground: Ground, running: str
) -> None:
    take_back(ground.database, WORKER)
    text = visitor.get(f"/jobs/{running}/live").text
    assert "1 try of a shard came to no end: a worker was lost, or met an error." in text


def test_only_who_holds_a_part_of_the_job_is_missed(
    ground: Ground, caller: Caller, running: str
) -> None:
    waiting = caller.submit(1)["id"]
    heard_of(ground, 20)
    with ground.database.read() as session:
        assert silent_holders(session, session.get_one(Job, waiting)) == []
        ((node, quiet_s),) = silent_holders(session, session.get_one(Job, running))
    assert (node, round(quiet_s)) == (WORKER, 20)


def test_a_job_behind_anothers_backlog_is_told_how_many_are_served_before_it(
    visitor: Visitor, caller: Caller, stranger: Caller, ground: Ground
) -> None:
    job = caller.submit(1)["id"]
    for _ in range(3):
        stranger.submit(1)
    announce(ground.database, WORKER, "cpu", "1")
    with ground.database.write() as session:
        # What this tenant has used so far, and the other has not.
        session.execute(update(Tenant).where(Tenant.id == visitor.tenant_id).values(share=9.0))
    assert "3 jobs are served before it" in visitor.get(f"/jobs/{job}/live").text


def test_a_receiver_that_does_not_answer_is_told_beside_the_job(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(2, webhook={"url": "https://93.184.216.34/hook"})["id"]
    waits = visitor.get(f"/jobs/{job}/deliveries").text
    assert "is called when the job is over" in waits
    run_rows(ground)
    with ground.database.write() as session:
        (row,) = list_deliveries(session, visitor.tenant_id, after=None, limit=2, job_id=job)
        session.execute(update(Delivery).values(last_status=None, last_error="Connection refused"))
    text = visitor.get(f"/jobs/{job}/deliveries").text
    assert "The receiver could not be reached: Connection refused. It is called again" in text
    assert "data-every" in text, "it is looked at until it came to an end"
    with ground.database.write() as session:
        session.execute(update(Delivery).values(state="failed", last_status=500, last_error=None))
    text = visitor.get(f"/jobs/{job}/deliveries").text
    assert "The receiver answered 500. No more tries follow" in text
    assert "data-every" not in text
    assert row.job_id == job


def test_who_waits_is_told_that_the_only_worker_has_gone_silent(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    announce(ground.database, WORKER, "cpu", "1")
    job = caller.submit(1)["id"]
    assert "among the next in line" in visitor.get(f"/jobs/{job}/live").text
    heard_of(ground, 8)
    text = visitor.get(f"/jobs/{job}/live").text
    assert "The only worker of pool cpu was last heard of 8 s ago" in text


def test_a_jobs_times_go_from_its_submission_to_its_delivery(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(2, webhook={"url": "https://93.184.216.34/hook"})["id"]
    told = ("Submitted", "Items listed", "First shard begun", "Completed", "Webhook delivered")
    begun = visitor.get(f"/jobs/{job}/live").text
    assert [f"<b>{each}</b>" in begun for each in told] == [True, True, True, False, False]
    run_rows(ground)
    with ground.database.write() as session:
        session.execute(update(Delivery).values(state=DELIVERED, ended_at=db_now() + 60))
    text = visitor.get(f"/jobs/{job}/live").text
    places = [text.find(f"<b>{each}</b>") for each in told]
    assert places == sorted(places)
    assert places[0] >= 0
    link = caller.post(f"/v1/jobs/{job}/shares", json={}).json["url"]
    assert "Webhook delivered" not in visitor.get(link).text
