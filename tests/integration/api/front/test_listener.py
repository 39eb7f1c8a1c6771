"""Held answers hear from Redis that their job has moved on, and do without when it says nothing."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from apiflask import APIFlask

from api.web import waiting
from api.web.listener import LISTENER, Listener
from jobs.base.bootstrap import Ground
from jobs.base.hints import MOVES, Hints
from jobs.queue.completion import cancel
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import wait_for
from tests.integration.api.callers import Caller
from tests.servers import redis_server

_SOON_S = 10.0


@pytest.fixture
def listener(redis_url: str) -> Iterator[Listener]:
    listener = Listener(redis_url)
    yield listener
    listener.close()


def await_subscription(listener: Listener) -> None:
    assert listener._subscribed.wait(_SOON_S)


@contextmanager
def held(caller: Caller, job: str, app: APIFlask) -> Iterator[Future[Any]]:
    """Ask for a job and wait for its end; the block begins once the answer is held."""
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(caller.get, f"/v1/jobs/{job}", headers={"Prefer": "wait=50"})
        while job not in app.extensions[LISTENER]._waiting:
            assert not answer.done()
        yield answer


def test_who_listens_is_woken_by_its_own_moves_alone(listener: Listener, redis_url: str) -> None:
    hints = Hints(redis_url)
    with listener.listening("job_a") as moved, listener.listening("job_b") as other:
        await_subscription(listener)
        hints.tell_moved("job_a")
        assert moved.wait(_SOON_S)
        # What nobody waits for is no matter; messages come in order.
        hints.tell_moved("job_c")
        moved.clear()
        hints.tell_moved("job_a")
        assert moved.wait(_SOON_S)
        assert not other.is_set()
    hints.close()
    assert not listener._waiting


def test_what_others_publish_on_its_channel_ends_nobody(listener: Listener, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as stranger, listener.listening("job") as moved:
        await_subscription(listener)
        stranger.publish(MOVES, b"\xff\xfe\x00 is no text")
        stranger.publish(MOVES, b"job")
        assert moved.wait(_SOON_S)


def test_all_who_wait_for_one_job_are_woken(listener: Listener, ground: Ground) -> None:
    with listener.listening("job") as one, listener.listening("job") as two:
        await_subscription(listener)
        ground.hints.tell_moved("job")
        assert one.wait(_SOON_S)
        assert two.wait(_SOON_S)


def test_it_hears_again_once_redis_is_back() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pm-redis-"))
    with redis_server(folder) as url:
        listener, hints = Listener(url), Hints(url)
        with listener.listening("job"):
            await_subscription(listener)
    # Nobody waits any more, and the subscription goes on: it finds the server gone.
    wait_for(lambda: not listener.hears, _SOON_S, "the listener to find Redis gone")
    with redis_server(folder), listener.listening("job") as moved:
        await_subscription(listener)
        hints.tell_moved("job")
        assert moved.wait(_SOON_S)
    listener.close()
    hints.close()


def test_a_held_answer_is_given_when_its_job_is_said_to_have_moved(
    caller: Caller, ground: Ground, app: APIFlask, tenant: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking alone would take a minute."""
    monkeypatch.setattr(waiting, "_HEARING_PAUSE_S", 60.0)
    job = caller.submit()["id"]
    with app.extensions[LISTENER].listening("anything"):
        await_subscription(app.extensions[LISTENER])
    with held(Caller(app, tenant), job, app) as answer:
        cancel(ground.database, tenant.tenant_id, job)
        ground.hints.tell_moved(job)
        assert answer.result(_SOON_S).json["status"] == "cancelled"


def test_a_held_answer_is_given_although_nothing_was_said(
    caller: Caller, ground: Ground, app: APIFlask, tenant: NewKey
) -> None:
    job = caller.submit()["id"]
    with held(Caller(app, tenant), job, app) as answer:
        cancel(ground.database, tenant.tenant_id, job)
        assert answer.result(_SOON_S).json["status"] == "cancelled"


def test_cancelling_wakes_who_waits(caller: Caller, app: APIFlask) -> None:
    job = caller.submit()["id"]
    with app.extensions[LISTENER].listening(job) as moved:
        await_subscription(app.extensions[LISTENER])
        assert caller.post(f"/v1/jobs/{job}/cancel").status_code == 200
        assert moved.wait(_SOON_S)


def test_telling_fails_for_nobody_while_redis_is_away() -> None:
    hints = Hints("unix:///nowhere/redis.sock")
    hints.tell_moved("job")
    hints.tell_moved("job")
    hints.close()
