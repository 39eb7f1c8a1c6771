"""Workers whose clocks are an hour off, ahead or behind: only the database's clock counts."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook

from jobs.base.database import db_now
from jobs.tables import Job as Row
from tests.faults.conftest import Report
from tests.faults.rig.houses import LEASE_S, House, open_house
from tests.faults.rig.oracle import check
from tests.receivers import Receiver, receiver_server
from tests.servers import create_database, postgresql_server

HOUR_S = 3600
SOURCE = Path(__file__).parent / "rig" / "clock.c"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLACES = {"cpu0": "worker-0", "cpu1": "worker-1", "io": "io"}


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library that shifts clocks, and later with the shifts."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc) to build the library that shifts a clock")
    folder = tmp_path_factory.mktemp("clocks")
    library = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O", "-o", library, SOURCE], check=True)
    return folder


@pytest.fixture(scope="module")
def house(clocks: Path) -> Iterator[House]:
    """A house on PostgreSQL: SQLite has no clock of its own, its processes share a machine's."""
    with (
        receiver_server() as receiver,
        postgresql_server() as admin,
        open_house(
            receiver,
            create_database(admin, "clocks"),
            LD_PRELOAD=str(clocks / "clock.so"),
            PIXELMILL_CLOCKS=str(clocks),
        ) as opened,
    ):
        yield opened


def test_workers_whose_clocks_are_an_hour_off(
    house: House, clocks: Path, choose, report: Report
) -> None:
    items, hook = 1200, {"url": house.receiver.url, "secret": SECRET}
    shift_clocks(house, clocks, dict(zip(PLACES, choose.choice(SHIFTS), strict=True)))

    # By a clock that is ahead, this job's time would be over before it began.
    job, expected = house.submit(items, webhook=hook, completion_window="30m")
    house.await_share(job, choose.uniform(0.05, 0.4), items)
    victim = choose.choice(("cpu0", "cpu1"))
    house.signal(PLACES[victim], signal.SIGSTOP)
    try:
        seconds = house.await_takeover(house.leased(job, victim), LEASE_S + 20)
    finally:
        house.signal(PLACES[victim], signal.SIGCONT)
    check(house, job, expected)

    # By a clock that is behind, this one's would last for another hour.
    due, expected = house.submit(items, model="slow", webhook=hook)
    house.await_share(due, 0.01, items)
    with house.ground.database.write() as session:
        session.execute(update(Row).where(Row.id == due.id).values(expires_at=db_now() + 1))
    check(house, due, expected, status="expired", timeout_s=60)

    verify(house.receiver, {job.id, due.id})
    report("workers whose clocks are an hour ahead or behind", 2 * items, seconds)


# One that makes leases, one that makes them differently, and the sweeper and sender.
SHIFTS = [
    (HOUR_S, -HOUR_S, HOUR_S),
    (HOUR_S, -HOUR_S, -HOUR_S),
    (-HOUR_S, HOUR_S, HOUR_S),
    (-HOUR_S, HOUR_S, -HOUR_S),
]


def shift_clocks(house: House, clocks: Path, shifts: dict[str, int]) -> None:
    """Start every worker anew under a wrong clock, and see that it is wrong."""
    mark = house.mark()
    for place, shift in shifts.items():
        (clocks / place).write_text(str(shift))
        house.kill(PLACES[place])
    for place, shift in shifts.items():
        house.await_log(mark, "worker_started", f'/{place}"')
        off_s = _logged_at(house.log_since(mark), place) - time.time()
        assert abs(off_s - shift) < HOUR_S / 10, f"{place}: the clock is off by {off_s:.0f} s"


def verify(receiver: Receiver, jobs: set[str]) -> None:
    """Hold that what was sent bears the right time, signed, as the public library judges it."""
    seen = set()
    while not receiver.received.empty():
        headers, body = receiver.received.get()
        event = Webhook(SECRET).verify(body, headers)
        told_at = datetime.fromisoformat(event["timestamp"])
        assert abs((datetime.now(UTC) - told_at).total_seconds()) < HOUR_S / 10
        seen.add(event["data"]["id"])
    assert seen >= jobs


def _logged_at(log: str, place: str) -> float:
    """Give the time that a worker thought it was when it had started."""
    lines = [line for line in log.splitlines() if "worker_started" in line and f'/{place}"' in line]
    event = json.loads(lines[-1].partition("| ")[2])
    return datetime.fromisoformat(event["timestamp"]).timestamp()
