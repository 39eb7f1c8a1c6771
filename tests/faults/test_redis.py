"""Redis that dies, forgets, is away or repeats itself: hints may be lost, late, doubled, shuffled.

The database is the truth and workers look into it themselves, so every job ends as it would have.
"""

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from jobs.base.hints import CPU, IO
from tests.e2e.stacks import wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import House
from tests.faults.rig.oracle import check

DOWN_S = 20.0
SILENT_S = 12.0
# A submission may wait for Redis once, and no longer.
PROMPT_S = 8.0


def await_hints_taken(house: House) -> None:
    """Hold that workers take hints again: their polling would hide that they never do."""
    for pool in (CPU, IO):
        wait_for(lambda pool=pool: house.ground.hints.send(pool, 4), 30, f"a hint sent to {pool}")
    with house.redis() as client:
        wait_for(lambda: not client.llen(CPU) and not client.llen(IO), 60, "hints to be taken")


def answers(house: House) -> bool:
    try:
        with house.redis() as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def redis_away(house: House) -> Iterator[None]:
    """Kill Redis, and keep its successors from listening until the block ends."""
    socket = Path(house.redis().connection_pool.connection_kwargs["path"])
    # Nothing can listen at a folder: every successor ends at once.
    socket.unlink()
    socket.mkdir()
    house.kill("redis")
    try:
        yield
    finally:
        socket.rmdir()


@contextmanager
def redis_silent(house: House) -> Iterator[None]:
    """Stop Redis: its connections stay, new ones are accepted, and nobody answers."""
    house.signal("redis", signal.SIGSTOP)
    try:
        yield
    finally:
        house.signal("redis", signal.SIGCONT)


@pytest.mark.pick
def test_redis_killed_in_a_job(house: House, choose: random.Random, report: Report) -> None:
    items = 1200
    job, expected = house.submit(items)
    house.await_share(job, choose.uniform(0.0, 0.6), items)
    time.sleep(choose.uniform(0, 0.3))
    pid = house.kill("redis")
    seconds = house.await_commit(job)
    assert house.await_successor("redis", pid) != pid
    check(house, job, expected)
    await_hints_taken(house)
    report("SIGKILL of Redis", items, seconds)


@pytest.mark.pick
def test_redis_emptied_again_and_again(house: House, choose: random.Random, report: Report) -> None:
    items, seconds = 2000, []
    job, expected = house.submit(items)
    with house.redis() as client:
        for share in sorted(choose.uniform(0.0, 0.5) for _ in range(3)):
            house.await_share(job, share, items)
            time.sleep(choose.uniform(0, 0.3))
            client.flushall()
            seconds.append(house.await_commit(job))
    check(house, job, expected)
    await_hints_taken(house)
    report("FLUSHALL of Redis, three times in a job", items, max(seconds))


def test_jobs_run_while_redis_is_away(house: House, choose: random.Random, report: Report) -> None:
    before, during = 1600, 800
    first, expected_first = house.submit(before)
    house.await_share(first, choose.uniform(0.0, 0.3), before)
    with redis_away(house):
        over_at = time.monotonic() + DOWN_S
        time.sleep(choose.uniform(0, 3))
        second, expected_second, took = _timed_submission(house, during)
        # Both of them, with nothing but polling.
        seconds = house.await_commit(second)
        check(house, first, expected_first)
        check(house, second, expected_second)
        while time.monotonic() < over_at:
            assert not answers(house)
            time.sleep(0.5)
    wait_for(lambda: answers(house), 60, "Redis")
    await_hints_taken(house)
    assert took < PROMPT_S
    report(f"Redis refuses connections for {DOWN_S:.0f} s", before + during, seconds)


def test_jobs_run_while_redis_is_silent(
    house: House, choose: random.Random, report: Report
) -> None:
    before, during = 1200, 600
    first, expected_first = house.submit(before)
    house.await_share(first, choose.uniform(0.0, 0.3), before)
    time.sleep(choose.uniform(0, 0.3))
    with redis_silent(house):
        over = threading.Event()
        threading.Timer(SILENT_S, over.set).start()
        second, expected_second, took = _timed_submission(house, during)
        seconds = house.await_commit(second)
        over.wait()
    check(house, first, expected_first)
    check(house, second, expected_second)
    await_hints_taken(house)
    assert took < PROMPT_S
    report(f"Redis does not answer for {SILENT_S:.0f} s", before + during, seconds)


def test_hints_doubled_and_shuffled(house: House, choose: random.Random, report: Report) -> None:
    items, copied = 1600, 0
    with house.redis() as client:
        job, expected = house.submit(items)
        while house.finished(job) < 0.7 * items:
            # An idle pool takes its hints at once; these are here for as long as one needs to copy.
            house.ground.hints.send(IO, 3)
            for pool in (CPU, IO):
                copied += _double(client, pool, choose)
            time.sleep(choose.uniform(0, 0.1))
        seconds = house.await_commit(job)
    assert copied > 100
    check(house, job, expected)
    await_hints_taken(house)
    report("hints doubled and shuffled all through a job", items, seconds)


def _timed_submission(house: House, items: int):
    started = time.monotonic()
    job, expected = house.submit(items)
    return job, expected, time.monotonic() - started


def _double(client: redis.Redis, pool: str, choose: random.Random) -> int:
    """Put each waiting hint back twice, all of them in another order; gives the copies."""
    waiting = client.lrange(pool, 0, 100)
    if not waiting:
        return 0
    copies = waiting * 2
    choose.shuffle(copies)
    with client.pipeline() as pipe:
        pipe.delete(pool)
        pipe.rpush(pool, *copies)
        pipe.execute()
    return len(copies) - len(waiting)
