"""Whether Celery hears that a thread of a worker is free."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import kombu.asynchronous
import pytest
from celery.concurrency import get_implementation

from workers.app import create_app
from workers.pool import WakingPool


class Loop:
    """Stands in for the event loop; says when it is woken."""

    def __init__(self, events: list[str]) -> None:
        self.events, self.woken = events, Event()

    def call_soon(self, call: Callable[[], None]) -> None:
        call()
        self.events.append("woken")
        self.woken.set()


@pytest.fixture
def loop() -> Iterator[Loop]:
    before = kombu.asynchronous.get_event_loop()
    loop = Loop([])
    kombu.asynchronous.set_event_loop(loop)
    yield loop
    kombu.asynchronous.set_event_loop(before)


@pytest.mark.parametrize("fault", [None, ValueError("a task's own")])
def test_the_loop_is_woken_once_celery_counts_the_task_as_over(
    loop: Loop, fault: Exception | None
) -> None:
    def task() -> None:
        loop.events.append("run")
        if fault is not None:
            raise fault

    pool = WakingPool(1)
    pool.on_start()
    pool.on_apply(task, (), {}, lambda _: loop.events.append("over"), lambda *_: None)
    assert loop.woken.wait(20)
    pool.on_stop()
    assert loop.events == (["run", "over", "woken"] if fault is None else ["run", "woken"])


def test_workers_run_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIXELMILL_DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    assert get_implementation(create_app().conf.worker_pool) is WakingPool
