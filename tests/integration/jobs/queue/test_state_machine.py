"""Any order of what can happen to shards, on both databases: the counts add up at every moment.

Hypothesis makes up the order. A failing one is printed with the steps that lead to it and with
`@reproduce_failure`; run `pytest --hypothesis-seed=N` to have the same orders again.
"""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text, update

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.errors import Conflict
from jobs.base.settings import load_settings
from jobs.base.states import TERMINAL, ItemStatus, ShardState
from jobs.base.storage import segment_name
from jobs.queue.commits import Tally, commit, commit_through_outages
from jobs.queue.completion import cancel, expire_overdue
from jobs.queue.quarantine import Suspect, is_crasher
from jobs.queue.scheduling import ShardLease, claim
from jobs.queue.shard_leases import expire, fail, hand_back, renew, take_back
from jobs.queue.turns import Line
from jobs.results.segments import Row, write_segment
from jobs.tables import Job, ModelVersion, Shard, Table
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.registry import register
from tests.databases import DATABASES
from tests.integration.jobs.builders import submit_items
from tests.integration.jobs.checks import ENDED, check_job, read_job
from tests.servers import create_database, drop_database

NODES = ["node-1", "node-2", "node-3"]
RECORD = {"shard_items": 40, "max_batch": 8}


class World:
    """One database, emptied before every example."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.empty()

    def empty(self) -> None:
        with self.ground.database.write() as session:
            for table in reversed(Table.metadata.sorted_tables):
                session.execute(text(f"DELETE FROM {table.name}"))
        self.tenant: NewKey = create_key(self.ground.database, "acme")
        self.model: ModelVersion = register(
            self.ground.database, self.ground.storage, "digits", RECORD, b"w", "sha256:00"
        )


class Life(RuleBasedStateMachine):
    """Jobs, their leases, and everything that workers, callers and the sweeper do to them."""

    world: World
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.world.empty()
        self.ground = self.world.ground
        self.database = self.ground.database
        self.jobs: list[str] = []
        self.highest: dict[str, dict[str, int]] = {}
        self.checked: set[str] = set()

    @rule(count=st.integers(1, 90), window_s=st.sampled_from([86400.0, 86400.0, -1.0]))
    def submit(self, count: int, window_s: float) -> None:
        if len(self.jobs) < 3:
            job = submit_items(
                self.ground,
                self.world.tenant,
                self.world.model,
                count=count,
                completion_window_s=window_s,
            )
            self.jobs.append(job.id)

    @rule(target=leases, owner=st.sampled_from(NODES), lease_s=st.sampled_from([30.0, 30.0, -1.0]))
    def claim(self, owner: str, lease_s: float) -> Any:
        lease = claim(self.database, Line("cpu"), owner, lease_s)
        if lease is None:
            return multiple()
        shard = self.shard_of(lease)
        assert (shard.state, shard.fence) == (ShardState.LEASED, lease.fence)
        assert lease.count >= 1
        return lease

    @rule(lease=leases)
    def renew(self, lease: ShardLease) -> None:
        held = self.holds(lease)
        renewal = renew(self.database, lease.owner, [lease], 30)
        assert (lease.shard_id in renewal.lost) == (not held)
        ending = read_job(self.ground, lease.job_id).ending
        assert renewal.ending.get(lease.shard_id) == (ending if held else None)

    @rule(
        lease=consumes(leases),
        statuses=st.lists(st.sampled_from(ItemStatus), min_size=1, max_size=4),
        surely=st.booleans(),
    )
    def commit(self, lease: ShardLease, statuses: list[ItemStatus], surely: bool) -> None:
        job = read_job(self.ground, lease.job_id)
        allowed = {ItemStatus.SUCCEEDED, ItemStatus.ERRORED, job.ending or ItemStatus.ERRORED}
        kinds = [status for status in statuses if status in allowed] or [ItemStatus.SUCCEEDED]
        rows = [
            Row(index, f"item-{index}", kinds[index % len(kinds)])
            for index in range(lease.first, lease.first + lease.count)
        ]
        counted = Counter(row.status.value for row in rows)
        tally = Tally(**counted)
        name = segment_name(lease.job_id, lease.first, lease.fence)
        write_segment(self.ground.storage, name, rows)
        held = self.holds(lease)
        do = commit_through_outages if surely else commit
        won = do(self.database, lease, name, tally, 0.01)
        assert won == held, "a commit counts with its lease, and only with it"
        assert (self.shard_of(lease).segment == name) == won
        assert not commit(self.database, lease, "again", tally, 0.01)

    @rule(lease=leases)
    def hand_back(self, lease: ShardLease) -> None:
        before, held = self.shard_of(lease), self.holds(lease)
        assert hand_back(self.database, lease) == held
        after = self.shard_of(lease)
        causes = ("deaths", "expiries", "errors", "not_before")
        assert [getattr(after, cause) for cause in causes] == [
            getattr(before, cause) for cause in causes
        ]

    @rule(lease=leases)
    def fail(self, lease: ShardLease) -> None:
        held = self.holds(lease)
        assert fail(self.database, lease) == held
        with self.database.write() as session:
            session.execute(update(Shard).values(not_before=0.0))

    @rule(
        owner=st.sampled_from(NODES),
        crashed=st.booleans(),
        named=st.lists(st.integers(0, 89), max_size=2),
    )
    def take_back(self, owner: str, crashed: bool, named: list[int]) -> None:
        with self.database.read() as session:
            held = [
                shard
                for shard in session.query(Shard).filter_by(owner=owner)
                if shard.state is ShardState.LEASED
            ]
        suspects = [
            Suspect(shard.id, shard.first + offset % shard.count, 1)
            for shard, offset in zip(held, named, strict=False)
        ]
        suspects = suspects if crashed else []
        taken = take_back(self.database, owner, crashed=crashed, suspects=suspects)
        assert taken == len(held)
        assert take_back(self.database, owner) == 0

    @rule()
    def expire(self) -> None:
        expire(self.database)

    @rule()
    def expire_overdue(self) -> None:
        expire_overdue(self.database)
        assert expire_overdue(self.database) == 0

    @rule(number=st.integers(0, 2))
    def cancel(self, number: int) -> None:
        if number < len(self.jobs):
            before = read_job(self.ground, self.jobs[number])
            try:
                cancel(self.database, self.world.tenant.tenant_id, before.id)
            except Conflict:
                assert before.status in TERMINAL

    @invariant()
    def counts_add_up_and_never_go_back(self) -> None:
        for job_id in self.jobs:
            if job_id in self.checked:
                continue
            job = check_job(self.ground, job_id)
            # One after the other, as here, nothing slips through the end of a job.
            assert job.ending is None or job.pending_shards == 0
            counts = {name: job.request_counts[name] for name in ENDED}
            before = self.highest.get(job_id, counts)
            assert all(counts[name] >= before[name] for name in ENDED)
            self.highest[job_id] = counts
            if job.status in TERMINAL:
                self.checked.add(job_id)

    def teardown(self) -> None:
        """Let what is left run to its end: every job closes, and crashers are errored."""
        take_back(self.database, NODES[0])
        with self.database.write() as session:
            session.execute(
                update(Shard).where(Shard.state == ShardState.LEASED).values(lease_until=1.0)
            )
        expire(self.database)
        expire_overdue(self.database)
        while (lease := claim(self.database, Line("cpu"), "last", 30)) is not None:
            status = ItemStatus.ERRORED if is_crasher(lease) else ItemStatus.SUCCEEDED
            indexes = range(lease.first, lease.first + lease.count)
            name = segment_name(lease.job_id, lease.first, lease.fence)
            rows = [Row(index, f"item-{index}", status) for index in indexes]
            write_segment(self.ground.storage, name, rows)
            tally = Tally(**{status.value: lease.count})
            assert commit(self.database, lease, name, tally, 0.01)
        for job_id in self.jobs:
            assert check_job(self.ground, job_id).status in TERMINAL

    def shard_of(self, lease: ShardLease) -> Shard:
        with self.database.read() as session:
            return session.get_one(Shard, lease.shard_id)

    def holds(self, lease: ShardLease) -> bool:
        shard = self.shard_of(lease)
        return shard.state is ShardState.LEASED and shard.fence == lease.fence


@pytest.fixture(params=DATABASES)
def world(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[World]:
    if request.param == "sqlite":
        path = tmp_path / "life.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        admin = request.getfixturevalue("postgresql_url")
        url = create_database(admin, "pixelmill_life", "pixelmill_template")
    ground = open_ground(
        load_settings(
            database_url=url, redis_url=redis_url, storage_url=(tmp_path / "blobs").as_uri()
        )
    )
    yield World(ground)
    ground.close()
    if request.param != "sqlite":
        drop_database(admin, "pixelmill_life")


def test_whatever_happens_in_whatever_order_the_counts_add_up(world: World) -> None:
    started = time.monotonic()

    class Here(Life):
        pass

    Here.world = world
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=50,
            stateful_step_count=25,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{time.monotonic() - started:.1f} s")


def test_the_machine_would_notice_a_count_that_is_wrong(world: World) -> None:
    job = submit_items(world.ground, world.tenant, world.model, count=90)
    with world.ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(completed=1))
    with pytest.raises(AssertionError):
        check_job(world.ground, job.id)
