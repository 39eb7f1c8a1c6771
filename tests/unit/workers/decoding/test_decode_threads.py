"""Decode threads take turns between shards."""

import threading
import weakref

import pytest

from workers.engine.decoding.threads import DecodeThreads


def test_a_shard_that_waits_is_not_kept_by_one_that_fills_its_threads() -> None:
    threads, release = DecodeThreads(shards=2, each=2), threading.Event()
    slow = [threads.of(1).submit(release.wait, 30) for _ in range(20)]
    assert threads.of(2).submit(lambda: "through").result(10) == "through"
    release.set()
    assert all(each.result(10) for each in slow)
    threads.shutdown()


def test_a_shard_has_no_more_threads_than_it_may() -> None:
    threads = DecodeThreads(shards=3, each=2)
    lock, running, most = threading.Lock(), [0], [0]
    both = threading.Barrier(2)

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        both.wait(10)
        with lock:
            running[0] -= 1

    for each in [threads.of(1).submit(work) for _ in range(10)]:
        each.result(20)
    threads.shutdown()
    assert most == [2]


def test_shards_take_turns() -> None:
    threads, begin, order = DecodeThreads(shards=1, each=1), threading.Event(), []
    threads.of(0).submit(begin.wait, 10)
    for shard in (1, 1, 1, 2, 2, 3):
        threads.of(shard).submit(order.append, shard)
    begin.set()
    threads.shutdown()
    assert order == [1, 2, 3, 1, 2, 1]


def test_what_is_raised_comes_back_and_threads_go_on() -> None:
    threads = DecodeThreads(shards=1, each=1)
    with pytest.raises(ZeroDivisionError):
        threads.of(1).submit(lambda: 1 / 0).result(10)
    assert list(threads.of(1).map(str, [1, 2])) == ["1", "2"]
    threads.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.of(1).submit(print)


def test_an_idle_thread_keeps_nothing_of_what_it_did() -> None:
    class Bytes:
        pass

    threads, held = DecodeThreads(shards=1, each=1), Bytes()
    gone = weakref.ref(held)
    threads.of(1).submit(lambda held: None, held).result(10)
    del held
    # The thread lets go before its next turn, which this waits for.
    assert threads.of(1).submit(gone).result(10) is None
    threads.shutdown()
