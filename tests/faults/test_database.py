"""A database that restarts, dies, or goes away in the very moment of a COMMIT.

PostgreSQL only: the embedded database has no connection to lose.
"""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.e2e.stacks import wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import House, open_house
from tests.faults.rig.oracle import check
from tests.faults.rig.postgresql import Fate, Server, Statement, Wire, running_server, wire_to
from tests.receivers import Receiver


@dataclass
class Place:
    """A house whose every process reaches its database through a wire; the test itself does not."""

    house: House
    server: Server
    wire: Wire


@pytest.fixture(scope="module")
def place(receiver: Receiver) -> Iterator[Place]:
    with (
        running_server() as server,
        wire_to(server) as (wire, url),
        open_house(receiver, server.url, PIXELMILL_DATABASE_URL=url) as house,
    ):
        yield Place(house, server, wire)


@pytest.fixture(autouse=True)
def calm(place: Place) -> Iterator[None]:
    yield
    place.wire.calm()
    place.wire.thaw()
    # After a test that failed in between, so that the next one finds a database.
    place.server.start_if_down()


def test_the_database_restarted_in_a_job(
    place: Place, choose: random.Random, report: Report
) -> None:
    house, items, seconds = place.house, 1600, []
    job, expected = house.submit(items)
    for share in sorted(choose.uniform(0.0, 0.7) for _ in range(2)):
        house.await_share(job, share, items)
        time.sleep(choose.uniform(0, 0.4))
        pid = place.server.pid
        place.server.restart()
        assert place.server.pid != pid
        seconds.append(house.await_commit(job))
    check(house, job, expected)
    report("restart of PostgreSQL, twice in a job", items, max(seconds))


class Killer:
    """Kills the server in the moment between a segment's write and the commit that names it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left = 0
        self._lock = threading.Lock()
        self.struck = threading.Event()

    def arm(self, commits: int) -> None:
        """Strike once more, at the commit of this number from now on."""
        with self._lock:
            self.struck.clear()
            self._left = commits

    def decide(self, statement: Statement) -> Fate:
        if not statement.names_segment:
            return "pass"
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._server.kill()
                self.struck.set()
        # After a strike nobody is there to take it.
        return "pass"


def test_the_database_killed_between_a_segment_and_its_commit(
    place: Place, choose: random.Random, report: Report
) -> None:
    house, items, seconds = place.house, 1600, []
    killer = Killer(place.server)
    place.wire.decide = killer.decide
    job, expected = house.submit(items)
    for _ in range(2):
        killer.arm(choose.randrange(1, 6))
        assert killer.struck.wait(60)
        _hold_that_the_api_says_when_to_come_again(house)
        time.sleep(choose.uniform(0, 1.5))
        place.server.start()
        seconds.append(house.await_commit(job))
    check(house, job, expected)
    report("PostgreSQL killed between segment and commit, twice in a job", items, max(seconds))


def _hold_that_the_api_says_when_to_come_again(house: House) -> None:
    info = house.stack.info
    headers = {"authorization": f"Bearer {info['api_key']}"}
    answer = httpx.get(f"{info['url']}/v1/jobs", headers=headers, timeout=20)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0


@dataclass
class Cutter:
    """Cuts connections during COMMIT: before the server hears of it, or before its answer."""

    choose: random.Random
    shards_share: float
    others_share: float
    strikes: dict[str, list[float]] = field(default_factory=lambda: {"cut": [], "deafen": []})
    others: int = 0

    def decide(self, statement: Statement) -> Fate:
        share = self.shards_share if statement.is_shard_commit else self.others_share
        if not statement.is_commit or self.choose.random() >= share:
            return "pass"
        # By turns, so that both are sure to happen.
        fate: Fate = "cut" if len(self.strikes["cut"]) <= len(self.strikes["deafen"]) else "deafen"
        self.strikes[fate].append(time.monotonic())
        self.others += not statement.is_shard_commit
        return fate


def test_connections_cut_during_commit(place: Place, choose: random.Random, report: Report) -> None:
    """Whether a COMMIT took place nobody knows then, and it must count once all the same."""
    house, items = place.house, 2000
    job, expected = house.submit(items)
    cutter = Cutter(choose, shards_share=0.4, others_share=0.0)
    place.wire.decide = cutter.decide
    wait_for(lambda: house.finished(job) == items, 120, job.id)
    place.wire.calm()
    check(house, job, expected)
    assert min(len(times) for times in cutter.strikes.values()) >= 2, cutter.strikes
    # The last commit may be one whose answer was cut off: nothing can follow it.
    later = [
        min((at for at in place.wire.committed_at if at > strike), default=strike) - strike
        for times in cutter.strikes.values()
        for strike in times
    ]
    report("connection cut during a shard's COMMIT", items, max(later))


def test_connections_cut_during_any_commit(
    place: Place, choose: random.Random, report: Report
) -> None:
    """Of claims, renewals, preparations and deliveries too."""
    house, items = place.house, 1600
    cutter = Cutter(choose, shards_share=0.2, others_share=0.3)
    job, expected = house.submit(items)
    place.wire.decide = cutter.decide
    wait_for(lambda: house.finished(job) == items, 150, job.id)
    place.wire.calm()
    check(house, job, expected)
    assert cutter.others >= 3
    report("connection cut during any COMMIT", items)


def test_a_connection_that_falls_silent_in_a_commit_delays_only_itself(
    place: Place, choose: random.Random, report: Report
) -> None:
    """As that of a machine that loses its network: what its transaction holds must come free."""
    house, items = place.house, 1600
    frozen = threading.Event()
    moment = choose.randrange(2, 6)
    seen = [0]

    def decide(statement: Statement) -> Fate:
        seen[0] += statement.is_shard_commit
        if statement.is_shard_commit and seen[0] == moment:
            frozen.set()
            return "freeze"
        return "pass"

    place.wire.decide = decide
    job, expected = house.submit(items)
    assert frozen.wait(60)
    seconds = house.await_commit(job)
    check(house, job, expected)
    report("a connection silent between a shard's update and its COMMIT", items, seconds)
