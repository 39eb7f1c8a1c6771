"""A connection that breaks during COMMIT: what was counted is counted once, and stays."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from jobs.base.bootstrap import Ground
from jobs.base.database import Database, is_outage
from jobs.base.states import JobStatus
from jobs.base.storage import segment_name
from jobs.inputs.manifests import Manifest
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Idempotency, submit
from jobs.queue.commits import Tally, commit_through_outages
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import expire
from jobs.results.segments import write_segment
from jobs.tables import Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, rows_of, run_one, submit_items
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.jobs.queue.test_concurrency import submission, wait_for_a_lock
from tests.integration.jobs.test_preparation import let_the_turn_run_out, lines, submit_file

LOST = OperationalError("COMMIT", {}, Exception("server closed"), connection_invalidated=True)


class LosesAnswers(Database):
    """Loses the connection around the first COMMITs, but those it spares: before them, or after."""

    def __init__(self, url: str, *, before: int = 0, after: int = 0, spared: int = 0) -> None:
        super().__init__(url)
        self.before, self.after, self.spared = before, after, spared

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.spared:
            self.spared -= 1
            with super().write() as session:
                yield session
            return
        with super().write() as session:
            yield session
            if self.before:
                self.before -= 1
                raise LOST
        if self.after:
            self.after -= 1
            raise LOST


def finish(ground: Ground, lease: ShardLease, database: Database, **more: Any) -> tuple[bool, str]:
    name = segment_name(lease.job_id, lease.first, lease.fence)
    write_segment(ground.storage, name, rows_of(lease))
    more = {"pause": lambda _: None, **more}
    tally = Tally(succeeded=lease.count)
    return commit_through_outages(database, lease, name, tally, 0.1, **more), name


@pytest.mark.parametrize("lost", [{"before": 3}, {"after": 1}, {"before": 2, "after": 1}])
def test_a_commit_is_counted_once_whenever_the_connection_is_lost(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, lost: dict[str, int]
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    database = LosesAnswers(ground.settings.database_url, **lost)
    pauses: list[float] = []
    won, _ = finish(ground, claim_one(ground), database, pause=pauses.append)
    database.close()
    assert won
    assert len(pauses) == sum(lost.values())
    assert check_job(ground, job.id).request_counts["completed"] == 32
    assert read_job(ground, job.id).commits == 1


@pytest.mark.parametrize("lost", [{"before": 2}, {"after": 1}, {"before": 1, "after": 1}])
def test_a_prepared_job_begins_once_whenever_the_connection_is_lost(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, lost: dict[str, int]
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(64))
    database = LosesAnswers(ground.settings.database_url, spared=1, **lost)
    assert prepare_next(dataclasses.replace(ground, database=database)) == job.id
    database.close()
    begun = check_job(ground, job.id)
    assert (begun.status, begun.total, begun.prepare_fence) == (JobStatus.IN_PROGRESS, 64, 1)
    assert run_one(ground, claim_one(ground))
    assert Manifest(ground.storage, begun.manifest or "").total == 64


def test_claims_of_a_preparation_that_nobody_heard_of_do_not_end_the_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, lines(4))
    for _ in range(5):
        database = LosesAnswers(ground.settings.database_url, after=1)
        with pytest.raises(OperationalError):
            prepare_next(dataclasses.replace(ground, database=database))
        database.close()
        let_the_turn_run_out(ground, job)
    assert prepare_next(ground) == job.id
    assert check_job(ground, job.id).status is JobStatus.IN_PROGRESS


def test_a_commit_whose_lease_went_to_another_during_the_outage_is_discarded(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    lease = claim_one(ground, lease_s=-1)
    database = LosesAnswers(ground.settings.database_url, before=1)

    def meanwhile(_: float) -> None:
        expire(ground.database)
        finish(ground, claim_one(ground, "quick"), ground.database)

    won, _ = finish(ground, lease, database, pause=meanwhile)
    database.close()
    assert not won
    assert check_job(ground, job.id).commits == 1


class Zombie(Database):
    """Loses its connection during the first COMMIT, which the server ends only later."""

    zombie: Session | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.zombie is not None:
            with super().write() as session:
                yield session
            return
        self.zombie = self._writing()
        self.zombie.begin()
        yield self.zombie
        self.zombie.flush()
        raise LOST


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_commit_that_the_server_ends_while_it_is_being_repeated_counts_once_and_is_won(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    database = Zombie(ground.settings.database_url)
    threads: list[threading.Thread] = []

    def end_it() -> None:
        wait_for_a_lock(ground)
        assert database.zombie is not None
        database.zombie.commit()
        database.zombie.close()

    def meanwhile(_: float) -> None:
        threads.append(threading.Thread(target=end_it))
        threads[0].start()

    won, name = finish(ground, claim_one(ground), database, pause=meanwhile)
    threads[0].join(30)
    database.close()
    assert won, "to say no would be to delete the segment that the database names"
    assert check_job(ground, job.id).commits == 1
    with ground.database.read() as session:
        assert session.scalar(select(Shard.segment)) == name


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_backend_that_is_terminated_in_the_middle_costs_a_pause_and_no_more(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model)
    lease = claim_one(ground)
    victim = Database(ground.settings.database_url)
    killed = threading.Event()
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def kill() -> None:
        wait_for_a_lock(ground)
        with ground.database.write() as session:
            session.execute(others)
        killed.set()

    killer = threading.Thread(target=kill)
    # The row is held until the kill, so that the victim is in the middle of its transaction.
    with ground.database.write() as holding:
        holding.execute(select(Shard).where(Shard.id == lease.shard_id).with_for_update())
        killer.start()
        done: list[bool] = []
        run = threading.Thread(target=lambda: done.append(finish(ground, lease, victim)[0]))
        run.start()
        assert killed.wait(30)
    run.join(30)
    killer.join(30)
    victim.close()
    assert done == [True]
    assert check_job(ground, job.id).commits == 1


@pytest.mark.parametrize("lost", [{"before": 1}, {"after": 1}])
def test_a_job_whose_storing_was_lost_on_the_way_keeps_its_inputs_if_it_exists(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, lost: dict[str, int]
) -> None:
    database = LosesAnswers(ground.settings.database_url, **lost)
    broken = dataclasses.replace(ground, database=database)
    key = Idempotency("key", "f" * 64)
    with pytest.raises(OperationalError):
        submit(broken, submission(tenant, digits_model), key)
    database.close()
    job, made = submit(ground, submission(tenant, digits_model), key)
    assert made == ("before" in lost)
    with ground.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
    finish(ground, claim_one(ground), ground.database)
    assert check_job(ground, job.id).completed == 1
    assert ground.storage.size(job.manifest or "") > 0


def test_an_outage_is_told_from_a_fault_of_ours() -> None:
    cause = Exception("why")
    assert is_outage(OperationalError("", {}, cause))
    assert is_outage(PoolTimeout("every connection is in use"))
    assert is_outage(ProgrammingError("", {}, cause, connection_invalidated=True))
    assert not is_outage(ProgrammingError("", {}, cause))
    assert not is_outage(IntegrityError("", {}, cause))
    assert not is_outage(ValueError("bug"))


def test_a_fault_of_ours_is_not_repeated_for_ever(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    class Broken(Database):
        @contextmanager
        def write(self) -> Iterator[Session]:
            raise ProgrammingError("UPDATE", {}, Exception("no such column"))
            yield

    submit_items(ground, tenant, digits_model)
    broken = Broken(ground.settings.database_url)
    with pytest.raises(ProgrammingError):
        finish(ground, claim_one(ground), broken)
    broken.close()


def test_the_clock_of_the_database_is_that_of_the_day(ground: Ground) -> None:
    assert ground.database.now() == pytest.approx(time.time(), abs=60)
