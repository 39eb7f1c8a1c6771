"""A store that is away puts a job's listing off, and costs the items that are read meanwhile."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from threading import Thread

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.buckets.allowances import list_allowances, withdraw
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission, submit
from jobs.queue.completion import cancel
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.buckets.conftest import allow_path, with_settings
from tests.integration.buckets.listings import listing_of
from tests.integration.buckets.servers import LOOPBACK, S3
from tests.integration.jobs.checks import read_job
from workers.engine.holding.requester import Requester
from workers.engine.reading.objects import read_objects

# Nobody listens there.
AWAY = S3("http://127.0.0.1:9")


def house_with(ground: Ground, store: S3) -> Ground:
    credentials = {"s3": {**store.credentials, "endpoint": store.endpoint}}
    house = with_settings(
        ground, bucket_networks=LOOPBACK, bucket_credentials=json.dumps(credentials)
    )
    allow_path(house, store, "acme", "s3://photos/path/")
    return house


@contextmanager
def house_of(ground: Ground, store: S3) -> Iterator[tuple[Ground, Buckets]]:
    house = house_with(ground, store)
    with closing(Buckets(house)) as buckets:
        yield house, buckets


def submit_prefix(house: Ground, tenant: NewKey, model: ModelVersion) -> Job:
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=model,
        requested={"model": "digits", "params": {}},
        params={},
        pool="cpu",
        source={"prefix": "s3://photos/path/"},
    )
    return submit(house, submission)[0]


@pytest.fixture
def lonely(ground: Ground, tenant: NewKey) -> Ground:
    return house_with(ground, AWAY)


@pytest.fixture
def buckets(lonely: Ground) -> Iterator[Buckets]:
    opened = Buckets(lonely)
    yield opened
    opened.close()


def test_a_listing_that_was_put_off_leaves_no_word_of_it_when_it_is_done(
    ground: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    s3.put("path/a.png", b"x")
    with house_of(ground, s3) as (house, buckets):
        job = submit_prefix(house, tenant, digits_model)
        with house.database.write() as session:
            session.execute(update(Job).values(status_reason="It did not answer."))
        assert prepare_next(house, buckets=buckets) == job.id
    found = read_job(ground, job.id)
    assert (found.status, found.status_reason) == (JobStatus.IN_PROGRESS, None)


def test_listing_is_put_off_and_at_last_given_up(
    lonely: Ground, tenant: NewKey, digits_model: ModelVersion, buckets: Buckets
) -> None:
    job = submit_prefix(lonely, tenant, digits_model)
    for attempt in (1, 2):
        assert prepare_next(lonely, buckets=buckets) == job.id
        found = read_job(lonely, job.id)
        assert (found.status, found.prepare_fence) == (JobStatus.VALIDATING, attempt)
        assert found.status_reason is not None
        assert found.status_reason.endswith("Its items are listed again soon.")
        assert prepare_next(lonely, buckets=buckets) is None, "not again at once"
        with lonely.database.write() as session:
            session.execute(update(Job).values(prepare_until=0.0))
    assert prepare_next(lonely, buckets=buckets) == job.id
    found = read_job(lonely, job.id)
    assert found.status is JobStatus.FAILED
    assert found.errors is not None
    assert found.errors[0]["code"] == "bucket_unreachable"
    assert list(lonely.storage.list(f"jobs/{job.id}/")) == []


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_a_listing_of_empty_pages_ends_with_its_job_and_with_its_allowance(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    is_withdrawn: bool,
) -> None:
    monkeypatch.setattr("jobs.buckets.sources._KEPT_S", 0.0)
    monkeypatch.setattr("jobs.buckets.remote._BEAT_S", 0.05)
    with listing_of(None) as (url, store), house_of(ground, S3(url)) as (house, buckets):
        job = submit_prefix(house, tenant, digits_model)
        preparing = Thread(target=partial(prepare_next, house, buckets=buckets), daemon=True)
        preparing.start()
        assert store.has_begun.wait(20)
        if is_withdrawn:
            with house.database.read() as session:
                ((_, allowance),) = list_allowances(session)
            withdraw(house.database, allowance.id)
        else:
            cancel(house.database, tenant.tenant_id, job.id)
        preparing.join(20)
        assert not preparing.is_alive()
        pages, ended = store.pages, read_job(house, job.id)
        assert ended.status is (JobStatus.FAILED if is_withdrawn else JobStatus.CANCELLED)
        if is_withdrawn:
            assert ended.errors is not None
            assert ended.errors[0]["code"] == "bucket_not_allowed"
    assert store.pages == pages, "nobody asks any more"


def test_a_listing_in_which_no_keys_come_is_put_off(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.buckets.remote._PAGE_S", 0.1)
    monkeypatch.setattr("jobs.buckets.remote._BEAT_S", 0.05)
    with listing_of(None) as (url, _), house_of(ground, S3(url)) as (house, buckets):
        job = submit_prefix(house, tenant, digits_model)
        for _ in range(3):
            assert prepare_next(house, buckets=buckets) == job.id
            with house.database.write() as session:
                session.execute(update(Job).values(prepare_until=0.0))
        errors = read_job(house, job.id).errors
    assert errors is not None
    assert errors[0]["code"] == "bucket_unreachable"
    assert "gave no further keys within" in errors[0]["message"]


def test_an_item_says_that_a_retry_may_help(tenant: NewKey, buckets: Buckets) -> None:
    item = Item(
        "a", "object", f"{tenant.tenant_id}/", length=1, size=1, url="s3://photos/path/a.png"
    )
    beats: list[None] = []
    with ThreadPoolExecutor(1) as threads:
        requester = Requester(beat=lambda: beats.append(None))
        (content,) = read_objects(buckets, threads, [item], requester)
    assert isinstance(content, ItemError)
    assert (content.code, content.retryable) == ("bucket_unreachable", True)
    assert not content.is_fault
    assert beats
