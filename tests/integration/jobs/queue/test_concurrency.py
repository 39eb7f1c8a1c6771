"""Many at once, on both databases: no shard twice, no deadlock, no lost count.

The order of locks is put to the test one by one at the end, on PostgreSQL, with transactions that
the test holds open itself.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, IdempotencyMismatch
from jobs.base.states import TERMINAL, ItemStatus, JobStatus, ShardState
from jobs.base.storage import segment_name
from jobs.inputs.requests import Request
from jobs.intake.submission import Idempotency, Submission, submit
from jobs.queue.commits import Tally, commit
from jobs.queue.completion import cancel, end_early, expire_overdue
from jobs.queue.quarantine import Suspect
from jobs.queue.scheduling import ShardLease, claim
from jobs.queue.shard_leases import expire, fail, hand_back, renew, take_back
from jobs.queue.turns import Line
from jobs.results.segments import write_segment
from jobs.tables import IdempotencyKey, Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, rows_of, run_one, submit_items
from tests.integration.jobs.checks import check_job, read_job

postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def at_once(*work: Callable[[], object]) -> list[object]:
    """Run functions in threads that begin together; gives what they gave, raises what they did."""
    barrier = threading.Barrier(len(work))

    def begin(act: Callable[[], object]) -> object:
        barrier.wait(30)
        return act()

    with ThreadPoolExecutor(len(work)) as pool:
        futures = [pool.submit(begin, act) for act in work]
        return [future.result(120) for future in futures]


def test_two_workers_never_get_the_same_shard(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    for _ in range(2):
        submit_items(ground, tenant, digits_model, count=1000)

    def take_all(owner: str) -> list[int]:
        found = iter(lambda: claim(ground.database, Line("cpu"), owner, 30), None)
        return [lease.shard_id for lease in found]

    taken = at_once(lambda: take_all("a"), lambda: take_all("b"), lambda: take_all("c"))
    shards = [shard for each in taken for shard in each]
    assert len(shards) == len(set(shards)) == 20
    with ground.database.read() as session:
        assert set(session.scalars(select(Job.pending_shards))) == {0}


class Crew:
    """Threads that do everything at once, and remember what commits were won."""

    def __init__(self, ground: Ground, tenants: list[NewKey], model: ModelVersion) -> None:
        self.ground, self.tenants, self.model = ground, tenants, model
        self.jobs: list[tuple[str, str]] = []
        self.won = Counter[str]()
        self.done = 0
        self.lock = threading.Lock()

    def submit(self, count: int) -> None:
        tenant = self.tenants[len(self.jobs) % len(self.tenants)]
        job = submit_items(self.ground, tenant, self.model, count=count)
        self.jobs.append((tenant.tenant_id, job.id))

    def work(self, seed: int, steps: int) -> None:
        chance, held = random.Random(seed), []
        for _ in range(steps):
            self.step(chance, held, f"node-{seed}")
            with self.lock:
                self.done += 1

    def step(self, chance: random.Random, held: list[ShardLease], owner: str) -> None:
        database = self.ground.database
        act = chance.choices(
            ["claim", "commit", "hand_back", "fail", "take_back", "expire", "cancel", "overdue"],
            [40, 30, 6, 4, 6, 8, 3, 3],
        )[0]
        lease = held.pop(chance.randrange(len(held))) if held else None
        if act == "claim" or lease is None:
            if lease is not None:
                held.append(lease)
                renew(database, owner, held, 30)
            new = claim(database, Line("cpu"), owner, chance.choice([30, 30, 0.001]))
            held += [new] if new else []
        elif act == "commit":
            self.commit(lease)
        elif act == "hand_back":
            hand_back(database, lease)
        elif act == "fail":
            fail(database, lease)
        elif act == "take_back":
            suspects = [Suspect(lease.shard_id, lease.first, 1)]
            take_back(database, owner, crashed=True, suspects=suspects)
        elif act == "expire":
            expire(database)
            held.append(lease)
        elif act == "overdue":
            self.let_expire(chance)
        else:
            self.cancel(chance)

    def commit(self, lease: ShardLease) -> None:
        name = segment_name(lease.job_id, lease.first, lease.fence)
        write_segment(self.ground.storage, name, rows_of(lease))
        if commit(self.ground.database, lease, name, Tally(succeeded=lease.count), 0.01):
            with self.lock:
                self.won[lease.job_id] += lease.count

    def cancel(self, chance: random.Random) -> None:
        tenant_id, job_id = chance.choice(self.jobs)
        try:
            cancel(self.ground.database, tenant_id, job_id)
        except Conflict:
            assert read_job(self.ground, job_id).status in TERMINAL

    def let_expire(self, chance: random.Random) -> None:
        _, job_id = chance.choice(self.jobs)
        if chance.random() < 0.5:
            with self.ground.database.write() as session:
                session.execute(update(Job).where(Job.id == job_id).values(expires_at=1.0))
        expire_overdue(self.ground.database)


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_callers_and_sweepers_at_once_neither_deadlock_nor_miscount(
    ground: Ground, digits_model: ModelVersion, seed: int
) -> None:
    tenants = [create_key(ground.database, name) for name in ("one", "two")]
    crew = Crew(ground, tenants, digits_model)
    for count in (40, 300, 90, 300):
        crew.submit(count)
    # On SQLite everybody waits for everybody, so there is less to find and more to wait for.
    steps = 20 if ground.database.is_sqlite else 60
    print(f"seed {seed}")
    at_once(*(lambda n=n: crew.work(10 * seed + n, steps) for n in range(6)))
    assert crew.done == 6 * steps
    for _, job_id in crew.jobs:
        assert check_job(ground, job_id).completed == crew.won[job_id]
    with ground.database.write() as session:
        leased = update(Shard).where(Shard.state == ShardState.LEASED)
        session.execute(leased.values(lease_until=1.0))
    expire(ground.database)
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=0.0))
    while (lease := claim(ground.database, Line("cpu"), "last", 30)) is not None:
        run_one(ground, lease)
    for _, job_id in crew.jobs:
        assert check_job(ground, job_id).status in TERMINAL


def submission(tenant: NewKey, model: ModelVersion, text_of_it: str = "x") -> Submission:
    return Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        params={},
        requested={"model": "digits", "params": {}},
        pool="cpu",
        requests=(Request(text_of_it, data=b"0"),),
    )


def test_twenty_equal_requests_at_once_make_one_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    key = Idempotency("key-1", "f" * 64)

    def send() -> tuple[str, bool]:
        job, made = submit(ground, submission(tenant, digits_model), key)
        return job.id, made

    answers = at_once(*[send] * 20)
    assert len({job_id for job_id, _ in answers}) == 1
    assert sum(made for _, made in answers) == 1
    with ground.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 1
        assert len(session.scalars(select(IdempotencyKey)).all()) == 1
    folders = {name.split("/")[1] for name in ground.storage.list("jobs/")}
    assert folders == {answers[0][0]}, "what the others wrote is gone"


def test_of_two_different_requests_under_one_key_one_is_refused(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    def send(mark: str) -> bool:
        key = Idempotency("key-1", mark * 64)
        try:
            return submit(ground, submission(tenant, digits_model, mark), key)[1]
        except IdempotencyMismatch:
            return False

    assert sorted(at_once(lambda: send("a"), lambda: send("b"))) == [False, True]


def test_a_key_of_one_tenant_is_not_that_of_another(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    key = Idempotency("key-1", "f" * 64)
    made = [submit(ground, submission(each, digits_model), key)[1] for each in (tenant, other)]
    assert made == [True, True]


def wait_for_a_lock(ground: Ground) -> None:
    """Come back as soon as some transaction of this database waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with ground.database.read() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.005)
    raise TimeoutError("nobody waits for a lock")


@postgresql_only
def test_a_commit_does_not_wait_for_who_cuts_another_shard_of_its_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    lease = claim_one(ground)
    with ground.database.write() as cutting:
        # A new shard refers to its job, which locks the job against being deleted or renamed.
        shard = Shard(job_id=job.id, first=1000, count=1, state=ShardState.SPLIT)
        cutting.add(shard)
        cutting.flush()
        assert run_one_within(ground, lease)
        cutting.delete(shard)
        cutting.execute(update(Job).where(Job.id == job.id).values(priority="low"))
    assert check_job(ground, job.id).completed == 32


def run_one_within(ground: Ground, lease: ShardLease, seconds: float = 10) -> bool:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run_one, ground, lease).result(seconds)


@postgresql_only
def test_a_cancel_does_not_wait_for_a_claim_that_waits_for_the_cancelled_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    with ThreadPoolExecutor(1) as pool:
        claiming: Future[ShardLease | None]
        with ground.database.write() as holding:
            holding.execute(select(Job).where(Job.id == job.id).with_for_update(key_share=True))
            # The claim has its shard and waits for the job's row, as it does behind any commit.
            claiming = pool.submit(claim, ground.database, Line("cpu"), "node", 30)
            wait_for_a_lock(ground)
            holding.execute(text("SET LOCAL lock_timeout = '2s'"))
            end_early(holding, job.id, ItemStatus.CANCELLED)
        lease = claiming.result(30)
    assert lease is not None
    now = check_job(ground, job.id)
    assert (now.status, now.cancelled, now.pending_shards) == (JobStatus.CANCELLING, 32, 0)
    assert run_one(ground, lease)
    assert check_job(ground, job.id).status is JobStatus.CANCELLED


@postgresql_only
def test_a_shard_that_slipped_through_a_cancel_is_cancelled_by_the_sweeper(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    with ground.database.write() as claiming:
        # A claim that locks a shard, and whose connection is then lost.
        first = select(Shard).order_by(Shard.first).limit(1).with_for_update()
        assert claiming.scalar(first) is not None
        cancel(ground.database, tenant.tenant_id, job.id)
        claiming.rollback()
        assert check_job(ground, job.id).status is JobStatus.CANCELLING
    expire_overdue(ground.database)
    ended = check_job(ground, job.id)
    assert (ended.status, ended.cancelled) == (JobStatus.CANCELLED, 64)
