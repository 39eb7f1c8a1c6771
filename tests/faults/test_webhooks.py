"""Receivers that are dead, slow, broken, moved or gone delay no other, and get no event twice."""

import socket
import time
from collections.abc import Iterator

import pytest

from jobs.tables import Delivery
from pixelmill import Job
from tests.e2e.stacks import wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import ENVIRON, House, open_house
from tests.faults.rig.oracle import check
from tests.faults.rig.pictures import Answer
from tests.receivers import Receiver, receiver_server

ITEMS = 40
TIMEOUT_S = float(ENVIRON["PIXELMILL_WEBHOOK_TIMEOUT_S"])
SLOW_JOBS = 16


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house of its own: dead and slow receivers would busy the senders of other tests."""
    with receiver_server() as receiver, open_house(receiver) as opened:
        yield opened


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody answers, nor will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_receivers_of_every_kind_at_once(
    house: House, seed: int, choose, closed_port: int, report: Report
) -> None:
    receiver = house.receiver
    slow, flaky, moved, gone, rude = (
        f"/{name}-{seed}" for name in ("slow", "flaky", "moved", "gone", "rude")
    )
    receiver.behaviours |= {
        slow: lambda _: time.sleep(2 * TIMEOUT_S) or 204,
        flaky: lambda call: 500 if call == 1 else 200,
        moved: lambda _: choose.choice((301, 302, 307, 308)),
        gone: lambda _: 410,
        rude: lambda call: None if call <= 2 else 204,
    }
    urls = {
        "dead": f"http://127.0.0.1:{closed_port}/hook",
        "good": receiver.url,
        **{
            path[1:].split("-")[0]: receiver.root + path
            for path in (slow, flaky, moved, gone, rude)
        },
    }
    kinds = list(urls)
    choose.shuffle(kinds)
    sent = {kind: house.submit(ITEMS, webhook=urls[kind]) for kind in kinds}
    for kind in ("good", "flaky", "rude"):
        check(house, *sent[kind])
    for kind in ("dead", "slow", "moved", "gone"):
        check(house, *sent[kind], hears=False)
    # Long enough for another try of everything that may be tried again.
    for kind in ("dead", "slow", "moved"):
        wait_for(lambda kind=kind: _delivery(house, sent[kind]).fence >= 3, 60, f"tries: {kind}")
    good, dead = _delivery(house, sent["good"]), _delivery(house, sent["dead"])
    assert (good.state, good.fence) == ("delivered", 1)
    assert (dead.state, dead.last_status) == ("pending", None)
    assert dead.last_error
    assert _delivery(house, sent["slow"]).state == "pending"
    assert _delivery(house, sent["moved"]).state == "pending"
    assert receiver.calls["/elsewhere"] == 0
    assert _delivery(house, sent["gone"]).state == "failed"
    assert receiver.calls[gone] == 1
    assert receiver.calls[flaky] == 2
    assert receiver.calls[rude] == 3
    for kind in ("good", "flaky", "rude"):
        assert len(receiver.events[sent[kind][0].id]) == 1, "delivered twice"
    report("receivers that are dead, slow, broken, moved, gone or rude", ITEMS * len(sent))


@pytest.fixture
def slow_receiver() -> Iterator[Receiver]:
    """A server of its own: what is capped is a server, whatever its paths."""
    with receiver_server() as running:
        running.behaviours["/hook"] = lambda _: time.sleep(2 * TIMEOUT_S) or 204
        yield running


def test_a_slow_receiver_with_many_due_deliveries_delays_no_other(
    house: House, slow_receiver: Receiver, choose, closed_port: int, report: Report
) -> None:
    late = [house.submit(ITEMS, webhook=slow_receiver.url) for _ in range(SLOW_JOBS)]
    late += [
        house.submit(ITEMS, webhook=f"http://127.0.0.1:{closed_port}/hook")
        for _ in range(SLOW_JOBS)
    ]
    for sent in late:
        check(house, *sent, hears=False)
    wait_for(lambda: slow_receiver.calls["/hook"] >= 2, 30, "calls of the slow receiver")
    waits = []
    for _ in range(3):
        time.sleep(choose.uniform(0, 1))
        sent = house.submit(ITEMS)
        check(house, *sent)
        # Heard, and perhaps not yet written down.
        wait_for(lambda sent=sent: _delivery(house, sent).ended_at, 10, "the sender's note")
        delivery = _delivery(house, sent)
        assert (delivery.state, delivery.fence) == ("delivered", 1)
        waits.append((delivery.ended_at or 0) - delivery.created_at)
    pending = [each for sent in late if (each := _delivery(house, sent)).state == "pending"]
    print(f"\ndelivered after {', '.join(f'{wait:.1f} s' for wait in waits)}")
    assert len(pending) == len(late)
    assert max(waits) < 3 * TIMEOUT_S
    # Back to normal, so that the next seed finds senders.
    slow_receiver.behaviours["/hook"] = lambda _: 204
    wait_for(
        lambda: all(_delivery(house, each).state == "delivered" for each in late[:SLOW_JOBS]),
        60,
        "the receiver that is slow no more",
    )
    for job, _ in late[:SLOW_JOBS]:
        assert len(set(slow_receiver.events[job.id])) == 1
    items = ITEMS * (len(late) + len(waits))
    report("sixteen deliveries each to a slow and a dead receiver are due", items, max(waits))


def _delivery(house: House, sent: tuple[Job, list[Answer]]) -> Delivery:
    (delivery,) = house.deliveries(sent[0].id)
    return delivery
