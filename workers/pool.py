"""Celery's pool of threads, which asks for the next hint as soon as a thread is free.

A worker fetches no more messages than it has threads free (worker_disable_prefetch). Its event loop
looks at that whenever something happens, and once a second: of a thread that has become free it
hears nothing, and a hint would lie in Redis for up to that second.
"""

from typing import Any

from celery.concurrency.thread import ApplyResult, TaskPool
from kombu.asynchronous import get_event_loop


class WakingPool(TaskPool):  # type: ignore[misc]  # Celery ships no types
    """Wakes the event loop after each task."""

    def on_apply(self, *args: Any, **kwargs: Any) -> ApplyResult:
        """Run a task in one of the threads."""
        running = super().on_apply(*args, **kwargs)
        loop = get_event_loop()
        if loop is not None:
            running.f.add_done_callback(lambda _: loop.call_soon(_look_again))  # type: ignore[no-untyped-call]  # kombu's
        return running


def _look_again() -> None:
    """Do nothing: the loop looks whether it may fetch before it sleeps again."""
