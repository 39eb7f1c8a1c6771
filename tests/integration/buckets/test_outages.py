"""A store that is away puts a job's listing off, and costs the items that are read meanwhile."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item
from jobs.intake.preparation import prepare_next
from jobs.intake.submission import Submission, submit
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.buckets.conftest import allow_path, with_settings
from tests.integration.buckets.servers import LOOPBACK, S3
from tests.integration.jobs.checks import read_job
from workers.engine.reading.objects import read_objects

# Nobody listens there.
AWAY = S3("http://127.0.0.1:9")


@pytest.fixture
def lonely(ground: Ground, tenant: NewKey) -> Ground:
    credentials = {"s3": {**AWAY.credentials, "endpoint": AWAY.endpoint}}
    house = with_settings(
        ground, bucket_networks=LOOPBACK, bucket_credentials=json.dumps(credentials)
    )
    allow_path(house, AWAY, "acme", "s3://photos/path/")
    return house


@pytest.fixture
def buckets(lonely: Ground) -> Iterator[Buckets]:
    opened = Buckets(lonely)
    yield opened
    opened.close()


def test_listing_is_put_off_and_at_last_given_up(
    lonely: Ground, tenant: NewKey, digits_model: ModelVersion, buckets: Buckets
) -> None:
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=digits_model,
        requested={"model": "digits", "params": {}},
        params={},
        pool="cpu",
        source={"prefix": "s3://photos/path/"},
    )
    job, _ = submit(lonely, submission)
    for attempt in (1, 2):
        assert prepare_next(lonely, buckets=buckets) == job.id
        found = read_job(lonely, job.id)
        assert (found.status, found.prepare_fence) == (JobStatus.VALIDATING, attempt)
        assert prepare_next(lonely, buckets=buckets) is None, "not again at once"
        with lonely.database.write() as session:
            session.execute(update(Job).values(prepare_until=0.0))
    assert prepare_next(lonely, buckets=buckets) == job.id
    found = read_job(lonely, job.id)
    assert found.status is JobStatus.FAILED
    assert found.errors is not None
    assert found.errors[0]["code"] == "bucket_unreachable"
    assert list(lonely.storage.list(f"jobs/{job.id}/")) == []


def test_an_item_says_that_a_retry_may_help(tenant: NewKey, buckets: Buckets) -> None:
    item = Item(
        "a", "object", f"{tenant.tenant_id}/", length=1, size=1, url="s3://photos/path/a.png"
    )
    beats: list[None] = []
    with ThreadPoolExecutor(1) as threads:
        (content,) = read_objects(buckets, threads, [item], lambda: beats.append(None), Event())
    assert isinstance(content, ItemError)
    assert (content.code, content.retryable) == ("bucket_unreachable", True)
    assert not content.is_fault
    assert beats
