"""When a run counts as stuck, with several threads at work on it."""

import threading
import time
from types import SimpleNamespace

from workers.engine.holding.hold import Hold


def test_a_thread_that_moves_does_not_end_the_patience_with_another_ones_call() -> None:
    hold = Hold(SimpleNamespace(shard_id=1, tenant_id="ten_1"))
    entered, leave = threading.Event(), threading.Event()

    def call() -> None:
        with hold.extended_stall_limit():
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=call)
    thread.start()
    assert entered.wait(20)
    hold.moved()
    assert hold.moved_at > time.monotonic() + 60, "the store may take its time"
    leave.set()
    thread.join()
    hold.moved()
    assert hold.moved_at <= time.monotonic()


def test_a_sign_of_life_from_inside_a_call_counts() -> None:
    hold = Hold(SimpleNamespace(shard_id=1, tenant_id="ten_1"))
    with hold.extended_stall_limit():
        assert hold.moved_at > time.monotonic() + 60
        hold.moved()
        assert hold.moved_at <= time.monotonic()


def test_who_waits_for_others_stays_waiting_whatever_its_calls_do() -> None:
    hold = Hold(SimpleNamespace(shard_id=1, tenant_id="ten_1"))
    hold.waits()
    with hold.extended_stall_limit():
        pass
    assert hold.is_waiting
    hold.moved()
    assert not hold.is_waiting
    assert hold.moved_at <= time.monotonic()


def test_the_first_reason_to_stop_counts() -> None:
    hold = Hold(SimpleNamespace(shard_id=1, tenant_id="ten_1"))
    hold.stop("lost")
    hold.stop("hand_back")
    assert hold.why == "lost"
