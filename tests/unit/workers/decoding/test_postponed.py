"""When a URL is asked again: after its pause, after what its server asks for, and not for ever."""

import threading

import pytest

from jobs.results.segments import ItemError
from workers.engine.reading.postponed import LONGEST_SHARD_S, NotNow, Postponed


class Held:
    """Stands for a hold: waiting lets its clock go on, and counts as no stall."""

    def __init__(self) -> None:
        self.now, self.moves = 100.0, 0
        self.stopped = self
        self._is_stopped = threading.Event()

    def is_set(self) -> bool:
        return self._is_stopped.is_set()

    def set(self) -> None:
        self._is_stopped.set()

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def moved(self) -> None:
        self.moves += 1


@pytest.fixture
def hold() -> Held:
    return Held()


@pytest.fixture
def postponed(hold: Held) -> Postponed:
    return Postponed((1, 4), clock=lambda: hold.now, random_of=lambda *_: 1.0)


def refused(wait_s: float = 0.0) -> NotNow:
    return NotNow("url_fetch_failed", "answered 503.", retryable=True, wait_s=wait_s)


def test_each_try_has_its_pause_and_the_last_says_how_many_there_were(hold, postponed):
    for pause in (1, 4):
        assert postponed.note(7, refused()) == refused()
        began = hold.now
        assert postponed.wait(hold) == [7]
        assert hold.now - began == pytest.approx(pause)
    assert postponed.note(7, refused()).message == "answered 503. It was asked 3 times."
    assert postponed.wait(hold) == []
    assert hold.moves >= 5, "who waits is no stall"


def test_a_server_is_given_the_time_that_it_asks_for(hold, postponed):
    postponed.note(7, refused(wait_s=20))
    postponed.note(8, refused())
    assert postponed.wait(hold) == [8]
    assert postponed.wait(hold) == [7]
    assert hold.now == pytest.approx(120)
    assert "for 60 s" in postponed.note(9, refused(wait_s=60)).message


def test_other_errors_are_final(hold, postponed):
    error = ItemError("url_fetch_failed", "answered 404.")
    assert postponed.note(7, error) is error
    assert postponed.wait(hold) == []


def test_who_is_told_to_stop_waits_no_more(hold, postponed):
    postponed.note(7, refused())
    hold.set()
    assert postponed.wait(hold) == []


def test_a_shard_waits_for_two_minutes_in_all(hold, postponed):
    for index in range(3):
        postponed.note(index, refused())
    assert postponed.wait(hold) == [0, 1, 2]
    hold.now += LONGEST_SHARD_S
    assert postponed.is_spent
    assert postponed.note(0, refused()).message.endswith("It was asked 2 times.")
    assert postponed.wait(hold) == []
