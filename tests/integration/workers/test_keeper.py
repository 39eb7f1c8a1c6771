"""The keeper: renews, tells, and ends a process in which nothing moves."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.base.states import ItemStatus
from jobs.queue.completion import cancel
from jobs.queue.scheduling import ShardLease
from jobs.queue.shard_leases import expire
from jobs.tables import ModelVersion, Shard
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.workers.conftest import with_
from workers.engine.holding.keeper import STALLED_EXIT_CODE, Keeper

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Run:
    """A running shard that only remembers what it is told."""

    def __init__(
        self, lease: ShardLease, moved_s_ago: float = 0.0, *, is_waiting: bool = False
    ) -> None:
        self.lease, self._is_waiting = lease, is_waiting
        self.moved_at = time.monotonic() - moved_s_ago
        self.looked_at = 0
        self.told: list[Any] = []
        self.heard = threading.Event()

    @property
    def is_waiting(self) -> bool:
        self.looked_at += 1
        return self._is_waiting

    def moved(self) -> None:
        self._is_waiting, self.moved_at = False, time.monotonic()

    def stop(self, why: Any) -> None:
        self.told.append(why)
        self.heard.set()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def lease(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> ShardLease:
    submit_items(ground, tenant, digits_model)
    return claim_one(ground)


@pytest.fixture
def new_keeper(ground: Ground) -> Iterator[Callable[..., Keeper]]:
    keepers: list[Keeper] = []

    def make(database: Database = ground.database, ended: Any = None, **settings: Any) -> Keeper:
        changed = with_(ground, **{"renew_s": 0.01, **settings}).settings
        end = ended.append if ended is not None else pytest.fail
        keepers.append(Keeper(database, "node-1", changed, end))
        return keepers[-1]

    yield make
    for keeper in keepers:
        keeper.close()


def lease_until(ground: Ground, lease: ShardLease) -> float:
    with ground.database.read() as session:
        return session.get_one(Shard, lease.shard_id).lease_until or 0.0


def test_a_held_lease_is_renewed_until_it_is_released(
    ground: Ground, lease: ShardLease, new_keeper: Callable[..., Keeper]
) -> None:
    keeper, run, before = new_keeper(), Run(lease), lease_until(ground, lease)
    keeper.hold(run)
    wait_for(lambda: lease_until(ground, lease) > before)
    assert run.told == []
    keeper.release(run)
    wait_for(lambda: not keeper.tenants())


def test_a_process_in_which_nothing_moves_is_ended(
    lease: ShardLease, new_keeper: Callable[..., Keeper]
) -> None:
    codes: list[int] = []
    keeper = new_keeper(ended=codes, stall_s=5)
    keeper.hold(Run(lease, moved_s_ago=6))
    wait_for(lambda: codes)
    assert codes[0] == STALLED_EXIT_CODE


@pytest.mark.parametrize(
    ("moved_s_ago", "is_waiting"), [(0, False), (90, True)], ids=["moving", "waiting for others"]
)
def test_a_process_that_moves_or_waits_for_others_is_not_ended(
    lease: ShardLease, new_keeper: Callable[..., Keeper], moved_s_ago: int, is_waiting: bool
) -> None:
    codes: list[int] = []
    keeper = new_keeper(ended=codes, stall_s=60)
    run = Run(lease, moved_s_ago, is_waiting=is_waiting)
    keeper.hold(run)
    wait_for(lambda: run.looked_at >= 2)
    assert codes == []


class Asleep(threading.Event):
    """An event whose first wait takes as long as that of a process which was stopped."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds: float | None = seconds

    def wait(self, timeout: float | None = None) -> bool:
        seconds, self.seconds = self.seconds, None
        return super().wait(timeout if seconds is None else seconds)


@pytest.mark.parametrize("waits", [False, True], ids=["moving", "waiting for others"])
def test_the_time_in_which_the_process_stood_still_is_no_stall(
    lease: ShardLease, new_keeper: Callable[..., Keeper], monkeypatch, waits: bool
) -> None:
    monkeypatch.setattr(threading, "Event", lambda: Asleep(2.5))
    codes: list[int] = []
    keeper = new_keeper(ended=codes, stall_s=2)
    monkeypatch.undo()
    run = Run(lease, is_waiting=waits)
    keeper.hold(run)
    wait_for(lambda: not keeper.tenants() or run.looked_at >= 4)
    assert codes == []
    assert run._is_waiting == waits


def test_a_run_whose_lease_went_to_another_is_told_so(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_keeper: Callable[..., Keeper]
) -> None:
    submit_items(ground, tenant, digits_model)
    lease = claim_one(ground, lease_s=-1)
    expire(ground.database)
    claim_one(ground, "node-2")
    run = Run(lease)
    new_keeper().hold(run)
    assert run.heard.wait(20)
    assert run.told[0] == "lost"


def test_a_run_whose_job_is_cancelled_is_told_within_a_second_or_two(
    ground: Ground, tenant: NewKey, lease: ShardLease, new_keeper: Callable[..., Keeper]
) -> None:
    run, keeper = Run(lease), new_keeper(renew_s=10)
    keeper.hold(run)
    cancel(ground.database, tenant.tenant_id, lease.job_id)
    assert run.heard.wait(5)
    assert run.told[0] is ItemStatus.CANCELLED


def test_what_still_runs_after_the_grace_time_is_handed_back(
    lease: ShardLease, new_keeper: Callable[..., Keeper]
) -> None:
    run, keeper = Run(lease), new_keeper()
    keeper.hold(run)
    keeper.hand_back_after(0.0)
    assert run.heard.wait(20)
    assert run.told[0] == "hand_back"


def test_a_shard_that_this_process_lost_and_claimed_anew_is_kept_for_the_second_run(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_keeper: Callable[..., Keeper]
) -> None:
    submit_items(ground, tenant, digits_model)
    first = Run(claim_one(ground, lease_s=-1))
    keeper = new_keeper()
    expire(ground.database)
    second = Run(claim_one(ground))
    assert second.lease.shard_id == first.lease.shard_id
    keeper.hold(first)
    keeper.hold(second)
    assert first.told == ["lost"]
    keeper.release(first)
    before = lease_until(ground, second.lease)
    wait_for(lambda: lease_until(ground, second.lease) > before)
    assert second.told == []


def test_waiting_for_the_database_silences_nobody_and_hides_no_stall(
    ground: Ground, lease: ShardLease
) -> None:
    class Locked(Database):
        released = threading.Event()

        def write(self):
            assert self.released.wait(30)
            return super().write()

    locked, codes, beats = Locked(ground.settings.database_url), [], []
    settings = with_(ground, renew_s=0.01, stall_s=3).settings
    keeper = Keeper(locked, "node-1", settings, codes.append, lambda: beats.append(0))
    run = Run(lease)
    keeper.hold(run)
    wait_for(lambda: codes)
    assert len(beats) >= 3, "it goes on to say that it lives"
    locked.released.set()
    keeper.close()
    locked.close()


def test_a_database_that_is_away_for_a_while_does_not_end_the_keeping(
    ground: Ground, lease: ShardLease, new_keeper: Callable[..., Keeper]
) -> None:
    class Away(Database):
        failures = 3

        def write(self):
            if self.failures:
                self.failures -= 1
                raise OperationalError("UPDATE", {}, Exception("connection refused"))
            return super().write()

    away, run = Away(ground.settings.database_url), Run(lease)
    before = lease_until(ground, lease)
    keeper = new_keeper(away)
    keeper.hold(run)
    wait_for(lambda: lease_until(ground, lease) > before)
    assert (away.failures, run.told) == (0, [])
    keeper.close()
    away.close()
