"""Limits of requests: counted for a tenant, told as a problem, and never a reason to be down."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from api.app import create_app
from api.web.rate_limits import storage_uri
from jobs.base.bootstrap import Ground
from jobs.base.hints import Hints
from jobs.tenants.keys import NewKey, create_key
from tests.integration.api.callers import Caller, check_problem, with_settings

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def limited(ground: Ground) -> Ground:
    return with_settings(ground, rate_limit="3/minute")


def statuses(caller: Caller, count: int) -> list[int]:
    return [caller.get("/v1/jobs").status_code for _ in range(count)]


def test_a_tenant_over_its_limit_is_told_when_to_come_again(
    limited: Ground, tenant: NewKey
) -> None:
    caller = Caller(create_app(limited), tenant)
    assert statuses(caller, 3) == [200, 200, 200]
    answer = caller.get("/v1/models")
    problem = check_problem(answer, 429, "rate_limit_exceeded")
    assert problem["error"]["type"] == "rate_limit_error"
    assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_a_limit_holds_for_all_keys_and_processes_of_a_tenant_and_for_no_other(
    limited: Ground, tenant: NewKey
) -> None:
    one, other = create_app(limited), create_app(limited)
    second_key = create_key(limited.database, "acme")
    assert statuses(Caller(one, tenant), 2) == [200, 200]
    assert statuses(Caller(other, second_key), 2) == [200, 429]
    assert statuses(Caller(one, create_key(limited.database, "other")), 1) == [200]


def test_health_is_never_limited(limited: Ground, tenant: NewKey) -> None:
    caller = Caller(create_app(limited), tenant)
    statuses(caller, 4)
    assert {caller.get("/readyz").status_code for _ in range(5)} == {200}


def test_an_empty_limit_is_none(ground: Ground, tenant: NewKey) -> None:
    caller = Caller(create_app(with_settings(ground, rate_limit="")), tenant)
    assert set(statuses(caller, 20)) == {200}


@pytest.fixture
def without_redis(limited: Ground) -> Iterator[Ground]:
    hints = Hints(NOBODY)
    settings = limited.settings.model_copy(update={"redis_url": NOBODY})
    yield replace(limited, settings=settings, hints=hints)
    hints.close()


def test_without_redis_each_process_counts_for_itself_and_jobs_are_taken(
    without_redis: Ground, tenant: NewKey, digits_model: object
) -> None:
    caller = Caller(create_app(without_redis), tenant)
    caller.submit()
    assert statuses(caller, 3) == [200, 200, 429]
    ready = caller.get("/readyz")
    assert (ready.status_code, ready.json["redis"]) == (200, "away")


def test_redis_that_goes_away_meanwhile_refuses_nobody(
    limited: Ground, tenant: NewKey, redis_url: str
) -> None:
    caller = Caller(create_app(limited), tenant)
    assert statuses(caller, 1) == [200]
    with redis.Redis.from_url(redis_url) as client:
        # Every command of the limiter fails from now on, as with a Redis that is full.
        client.config_set("maxmemory", 1)
        try:
            assert statuses(caller, 2) == [200, 200]
        finally:
            client.config_set("maxmemory", 0)


def test_a_redis_on_a_unix_socket_is_named_as_the_library_reads_it() -> None:
    assert storage_uri("unix:///run/r.sock?db=0") == "redis+unix:///run/r.sock?db=0"
    assert storage_uri("redis://h:1/0") == "redis://h:1/0"
