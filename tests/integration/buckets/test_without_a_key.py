"""Where no operator set buckets up, nothing is stored and nothing is read."""

from collections.abc import Iterator

import pytest

from api.app import create_app
from api.current import BUCKETS
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem


@pytest.fixture
def bare(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Iterator[Caller]:
    app = create_app(ground)
    yield Caller(app, tenant)
    app.extensions[LISTENER].close()
    app.extensions[BUCKETS].close()


def test_no_connection_is_stored_without_a_key_to_seal_it_with(bare: Caller) -> None:
    body = {"name": "lake", "kind": "s3", "credentials": {}}
    problem = check_problem(bare.post("/v1/connections", json=body), 409)
    assert "PIXELMILL_CONNECTION_KEY" in problem["detail"]


@pytest.mark.parametrize("prefix", ["s3://photos/", "gs://photos/", "file:///srv/"])
def test_no_bucket_may_be_named(bare: Caller, prefix: str) -> None:
    answer = bare.post("/v1/jobs", json={"model": "digits", "prefix": prefix})
    check_problem(answer, 422)
