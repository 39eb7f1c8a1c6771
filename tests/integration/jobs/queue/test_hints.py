"""Hints through a real Redis: as many as have room, and no harm when Redis is away."""

import socket
import time
from pathlib import Path

import pytest
import redis

from jobs.base.bootstrap import Ground
from jobs.base.hints import CPU, GPU, IO, RUN_IO, RUN_SHARDS, WINDOW, Hints, broker_url
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import submit_items

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(ground: Ground, redis_url: str):
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/3", "redis://host:6379/3"),
        ("rediss://host/0", "rediss://host/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=0", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=5", "redis+socket:///run/redis.sock?virtual_host=5"),
    ],
)
def test_celery_is_given_its_own_form_of_a_unix_socket(
    ground: Ground, url: str, expected: str
) -> None:
    assert broker_url(url) == expected


def test_a_hint_lies_in_the_queue_of_its_pool_and_names_the_task(
    ground: Ground, client: redis.Redis
) -> None:
    assert [ground.hints.send(pool) for pool in (CPU, GPU, IO)] == [1, 1, 1]
    for pool, task in ((CPU, RUN_SHARDS), (GPU, RUN_SHARDS), (IO, RUN_IO)):
        (message,) = client.lrange(pool, 0, -1)
        assert f'"task": "{task}"'.encode() in message


def test_no_more_hints_wait_than_the_window_has_room_for(
    ground: Ground, client: redis.Redis
) -> None:
    assert ground.hints.send(CPU, 10) == 10
    assert ground.hints.send(CPU, 10_000) == WINDOW - 10
    assert ground.hints.send(CPU) == 0
    assert client.llen(CPU) == WINDOW
    assert ground.hints.send(GPU) == 1
    client.ltrim(CPU, 0, WINDOW - 3)
    assert ground.hints.send(CPU, 5) == 2


def test_sending_nothing_sends_nothing(ground: Ground, client: redis.Redis) -> None:
    assert ground.hints.send(CPU, 0) == 0
    assert client.llen(CPU) == 0


@pytest.mark.parametrize("url", ["unix://{}/none.sock", "redis://127.0.0.1:1/0"])
def test_a_redis_that_is_away_costs_no_error_and_little_time(
    ground: Ground, tmp_path: Path, url: str
) -> None:
    away = Hints(url.format(tmp_path))
    started = time.monotonic()
    assert away.send(CPU, 100) == 0
    assert not away.is_reachable()
    away.close()
    assert time.monotonic() - started < 10


def test_a_redis_that_says_nothing_is_asked_once_and_then_left_alone_for_a_while(
    ground: Ground, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        hints = Hints(f"unix://{tmp_path}/silent.sock")
        started = time.monotonic()
        for _ in range(100):
            assert hints.send(CPU) == 0
        hints.close()
    assert time.monotonic() - started < 30, "a second once, and not a hundred times"


def test_a_submission_sends_a_hint_for_each_shard_after_it_is_stored(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, client: redis.Redis
) -> None:
    submit_items(ground, tenant, digits_model, count=250)
    assert client.llen(CPU) == 8
    submit_items(ground, tenant, digits_model, requests=None, input_file_id="file_1")
    assert client.llen(IO) == 1
