"""A worker tells that it lives, hears that it is drained, and claims nothing before it knows."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, select, update

from jobs.base.bootstrap import Ground
from jobs.metrics import metrics
from jobs.presence.workers import (
    announce,
    drain,
    forget_silent,
    give_sign,
    is_drained,
    living,
    resume,
)
from jobs.tables import WorkerProcess
from tests.e2e.stacks import wait_for
from workers.figures_server import FiguresServer
from workers.presence import Presence
from workers.process import Process

NODE = "host-1/cpu0"


@pytest.fixture
def presence(ground: Ground) -> Iterator[Presence]:
    made = Presence(ground.database, process(), 0.05)
    yield made
    if made._thread.is_alive():
        made.close()


def process(node: str = NODE) -> Process:
    return Process(node=node, pool="cpu", cores=1, decode_threads=1, lanes=1, flight=Path("x"))


def names(ground: Ground) -> list[str]:
    with ground.database.read() as session:
        return [row.node for row in living(session)]


def test_it_is_there_while_it_runs_and_not_after(ground: Ground, presence: Presence) -> None:
    presence.start()
    assert names(ground) == [NODE]
    presence.close()
    assert names(ground) == []


def test_who_is_told_to_end_is_no_longer_counted_on_while_it_finishes_what_it_holds(
    ground: Ground, presence: Presence
) -> None:
    presence.start()
    presence.stop()
    wait_for(lambda: names(ground) == [], 20, "its leaving")


def test_a_hosts_name_stands_for_its_launchers_and_for_no_other_hosts(ground: Ground) -> None:
    mine = ["gpu-11111111/cpu0", "gpu-22222222/cpu0", "gpu-22222222/cpu1"]
    others = ["gpu-2-11111111/cpu0", "gpus-1111111/cpu0", "g_u-11111111/cpu0", "gpu-3333333/cpu0"]
    for node in (*mine, *others):
        announce(ground.database, node, "cpu", "1")
    with ground.database.write() as session:
        assert drain(session, "gpu") == mine
        assert drain(session, "g_u") == ["g_u-11111111/cpu0"]
        assert resume(session, "gpu") == mine


def test_nothing_is_claimed_before_it_is_known_whether_it_is_drained(
    ground: Ground, presence: Presence
) -> None:
    assert not presence.may_claim()
    presence.start()
    assert presence.may_claim()


def test_a_drain_is_heard_and_so_is_its_end(ground: Ground, presence: Presence) -> None:
    presence.start()
    with ground.database.write() as session:
        drain(session, "host-1")
    wait_for(lambda: not presence.may_claim(), 10, "the drain")
    with ground.database.write() as session:
        resume(session, NODE)
    wait_for(presence.may_claim, 10, "its end")


def test_a_drained_worker_that_is_started_again_begins_nothing(
    ground: Ground, presence: Presence
) -> None:
    presence.start()
    with ground.database.write() as session:
        drain(session, NODE)
    presence.close()
    successor = Presence(ground.database, process(), 0.05)
    successor.start()
    assert not successor.may_claim()
    assert is_drained(ground.database, NODE)
    successor.close()


def test_a_process_that_was_forgotten_while_it_lived_announces_itself_again(
    ground: Ground, presence: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.presence.SIGN_S", 0.0)
    presence.start()
    with ground.database.write() as session:
        session.execute(delete(WorkerProcess))
    assert not give_sign(ground.database, NODE)
    wait_for(lambda: names(ground) == [NODE], 10, "its row")
    assert presence.may_claim()


def test_who_is_silent_is_no_longer_alive_and_after_a_day_forgotten(ground: Ground) -> None:
    for node in (NODE, "host-2/cpu0", "host-3/cpu0"):
        Presence(ground.database, process(node), 1)._look()
    with ground.database.write() as session:
        drain(session, "host-2")
        old = {WorkerProcess.seen_at: WorkerProcess.seen_at - 90_000}
        gone = WorkerProcess.node != "host-3/cpu0"
        session.execute(update(WorkerProcess).where(gone).values(old))
    assert names(ground) == ["host-3/cpu0"]
    assert forget_silent(ground.database) == 1
    with ground.database.read() as session:
        kept = session.scalars(select(WorkerProcess.node).order_by(WorkerProcess.node)).all()
    # A drain is an operator's word, and is not forgotten.
    assert kept == ["host-2/cpu0", "host-3/cpu0"]


def test_figures_that_cannot_be_had_keep_no_worker_from_telling_that_it_lives(
    ground: Ground,
) -> None:
    def broken() -> None:
        raise RuntimeError("the device is gone")

    presence = Presence(ground.database, process(), 0.05, broken)
    presence.start()
    assert presence.may_claim()
    assert names(ground) == [NODE]
    presence.close()


def test_figures_are_served_on_the_port_that_is_named_and_on_this_machine_alone(
    tmp_path: Path,
) -> None:
    metrics.WORKER_DEATHS.labels("cpu", "crash").inc()
    server = FiguresServer("127.0.0.1:0", tmp_path / "figures")
    answer = httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False)
    families = list(text_string_to_metric_families(answer.text))
    assert "pixelmill_worker_deaths" in [family.name for family in families]
    taken = FiguresServer(str(server.port))
    assert taken.port is None, "a port that is taken ends nothing"
    server.close()
    assert FiguresServer("").port is None
