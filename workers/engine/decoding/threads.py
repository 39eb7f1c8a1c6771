"""Decode threads, which take turns between shards: no shard's slow files keep those of another.

The threads mostly wait for decoder processes. A shard has at most as many at a time as the process
has cores, and there are as many as all shards that run at a time can have: so there is always one
for the next shard. Of the shards that wait each gets its turn.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class DecodeThreads:
    """A pool of threads; to be shut down."""

    def __init__(
        self, shards: int, each: int, initializer: Callable[[], object] = lambda: None
    ) -> None:
        """Start threads for `shards` at a time, of which `each` may have so many."""
        self._each, self._initializer = each, initializer
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, deque[Callable[[], None]]]] = deque()
        self._busy: Counter[int] = Counter()
        self._is_shut = False
        self._threads = [
            threading.Thread(target=self._work, name=f"decode-{number}", daemon=True)
            for number in range(shards * each)
        ]
        for thread in self._threads:
            thread.start()

    def of(self, shard: int) -> Executor:
        """Give the threads as one shard has them."""
        return _OfShard(self, shard)

    def put(self, shard: int, work: Callable[[], None]) -> None:
        """Have something done for a shard, behind what it has put before."""
        with self._changed:
            if self._is_shut:
                raise RuntimeError("the decode threads have been shut down")
            for its, queue in self._waiting:
                if its == shard:
                    queue.append(work)
                    break
            else:
                self._waiting.append((shard, deque([work])))
            self._changed.notify()

    def shutdown(self) -> None:
        """Do what was put, then end the threads."""
        with self._changed:
            self._is_shut = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        self._initializer()
        while (turn := self._next()) is not None:
            shard, work = turn
            work()
            # What was done holds an item's bytes, and the next turn may be long in coming.
            del turn, work
            with self._changed:
                self._busy[shard] -= 1
                if not self._busy[shard]:
                    del self._busy[shard]
                self._changed.notify()

    def _next(self) -> tuple[int, Callable[[], None]] | None:
        """Wait for the next turn; None when there will be none any more."""
        with self._changed:
            while (turn := self._take()) is None:
                if self._is_shut and not self._waiting:
                    self._changed.notify_all()
                    return None
                self._changed.wait()
            return turn

    def _take(self) -> tuple[int, Callable[[], None]] | None:
        """Take the next shard's turn, among those that have a thread left."""
        for _ in range(len(self._waiting)):
            shard, queue = self._waiting[0]
            if self._busy[shard] >= self._each:
                self._waiting.rotate(-1)
                continue
            work = queue.popleft()
            self._waiting.popleft()
            if queue:
                self._waiting.append((shard, queue))
            self._busy[shard] += 1
            return shard, work
        return None


class _OfShard(Executor):
    """One shard's way to the threads."""

    def __init__(self, threads: DecodeThreads, shard: int) -> None:
        self._threads, self._shard = threads, shard

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a function called; gives what it gives, or raises."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as err:
                future.set_exception(err)
            else:
                future.set_result(result)

        self._threads.put(self._shard, work)
        return future
