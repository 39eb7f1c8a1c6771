"""Whose places are free, and that nobody looks for newcomers while ordinary places go on."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from workers.engine.holding import places
from workers.engine.holding.places import Place, Places

ORDINARY, SHORT, NEWCOMERS = Place(), Place(only_short=True), Place(only_newcomers=True)
DEADLINE_S = 60.0


def taken(ordinary: int = 1) -> Places:
    """Places of which all are taken but those for newcomers."""
    made = Places(ordinary)
    assert [made.take() for _ in range(ordinary + 1)] == [ORDINARY] * ordinary + [SHORT]
    return made


def test_what_is_left_is_given_in_order_until_there_is_none() -> None:
    made = taken()
    assert [made.take() for _ in range(3)] == [NEWCOMERS, NEWCOMERS, None]
    made.leave(SHORT)
    assert made.take(SHORT) is None
    assert made.take() == SHORT


def test_newcomers_are_looked_for_where_ordinary_places_stand_still() -> None:
    made = taken()
    # Whatever the others do.
    made.looks(SHORT)
    made.looks(NEWCOMERS)
    assert made.take() == NEWCOMERS


def waiting(made: Places, pool: ThreadPoolExecutor) -> "Future[Place | None]":
    """Have a thread wait for a place; comes back once it does."""
    found = pool.submit(made.take)
    assert wait([found], 0.05).not_done
    return found


def test_who_looks_for_newcomers_waits_while_ordinary_places_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = taken()
    monkeypatch.setattr(places, "_STILL_S", 0.01)
    go_on, stands_still = threading.Event(), threading.Event()

    def look_for_shards() -> None:
        while not stands_still.is_set():
            made.looks(ORDINARY)
            go_on.set()

    with ThreadPoolExecutor(2) as pool:
        pool.submit(look_for_shards)
        assert go_on.wait(DEADLINE_S)
        found = waiting(made, pool)
        stands_still.set()
        assert found.result(DEADLINE_S) == NEWCOMERS


def test_an_ordinary_place_that_becomes_free_is_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = taken()
    # Longer than anybody waits here: what wakes it is the place alone.
    monkeypatch.setattr(places, "_STILL_S", 3600.0)
    made.looks(ORDINARY)
    with ThreadPoolExecutor(1) as pool:
        found = waiting(made, pool)
        made.leave(ORDINARY)
        assert found.result(DEADLINE_S) == ORDINARY
