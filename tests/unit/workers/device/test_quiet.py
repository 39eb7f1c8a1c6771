"""A suspect runs alone; who waits for it, or it for others, can be told to stop."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from workers.engine.holding import quiet as quiets
from workers.engine.holding.quiet import Quiet

DEADLINE_S = 20.0
NEVER = threading.Event()
Turn = AbstractContextManager[None]


class Run:
    """Waits for its turn in a thread of its own, and keeps it until it may end."""

    def __init__(self, turn: Callable[[threading.Event], Turn]) -> None:
        self.told_to_stop, self.runs = threading.Event(), threading.Event()
        self.may_end = threading.Event()
        self._turn = turn
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._turn(self.told_to_stop):
            self.runs.set()
            assert self.may_end.wait(DEADLINE_S)

    def has_begun(self) -> bool:
        return self.runs.wait(DEADLINE_S)

    def waits(self) -> bool:
        return not self.runs.wait(0.2)

    def end(self) -> None:
        self.may_end.set()
        self.thread.join(DEADLINE_S)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Quiet]:
    monkeypatch.setattr(quiets, "_LOOK_S", 0.01)
    return Quiet()


def test_many_run_beside_each_other_and_one_alone(quiet: Quiet) -> None:
    one, two = Run(quiet.shared), Run(quiet.shared)
    assert one.has_begun()
    assert two.has_begun()
    alone = Run(quiet.alone)
    assert alone.waits()
    late = Run(quiet.shared)
    one.end()
    assert alone.waits()
    assert late.waits(), "who wants to be alone goes first"
    two.end()
    assert alone.has_begun()
    assert late.waits()
    assert quiet.is_wanted_alone
    alone.end()
    assert late.has_begun()
    assert not quiet.is_wanted_alone
    late.end()


def test_two_that_want_to_be_alone_follow_each_other(quiet: Quiet) -> None:
    one = Run(quiet.alone)
    assert one.has_begun()
    two = Run(quiet.alone)
    assert two.waits()
    one.end()
    assert two.has_begun()
    two.end()


def test_who_can_is_asked_to_give_way(quiet: Quiet) -> None:
    asked = threading.Event()
    video = Run(lambda told: quiet.shared(told, asked.set))
    picture = Run(quiet.shared)
    assert video.has_begun()
    assert picture.has_begun()
    assert not asked.is_set()
    alone = Run(quiet.alone)
    assert asked.wait(DEADLINE_S)
    video.end()
    picture.end()
    assert alone.has_begun()
    alone.end()


def test_who_is_told_to_stop_while_another_is_alone_waits_no_longer(quiet: Quiet) -> None:
    alone = Run(quiet.alone)
    assert alone.has_begun()
    cancelled = Run(quiet.shared)
    assert cancelled.waits()
    cancelled.told_to_stop.set()
    assert cancelled.has_begun()
    cancelled.end()
    alone.end()
    with ThreadPoolExecutor(1) as later:
        assert later.submit(_passes, quiet).result(DEADLINE_S)


def test_a_suspect_that_is_told_to_stop_lets_the_others_go_on(quiet: Quiet) -> None:
    long = Run(quiet.shared)
    assert long.has_begun()
    suspect = Run(quiet.alone)
    assert suspect.waits()
    late = Run(quiet.shared)
    assert late.waits()
    suspect.told_to_stop.set()
    assert suspect.has_begun()
    assert late.has_begun(), "nobody wants to be alone any more"
    for run in (suspect, long, late):
        run.end()
    assert _passes(quiet)


def test_a_suspect_that_is_told_to_stop_leaves_another_alone(quiet: Quiet) -> None:
    alone = Run(quiet.alone)
    assert alone.has_begun()
    suspect = Run(quiet.alone)
    assert suspect.waits()
    suspect.told_to_stop.set()
    assert suspect.has_begun()
    suspect.end()
    late = Run(quiet.shared)
    assert late.waits()
    alone.end()
    assert late.has_begun()
    late.end()


def _passes(quiet: Quiet) -> bool:
    """Everything is free again."""
    with quiet.alone(NEVER):
        pass
    with quiet.shared(NEVER):
        return True
