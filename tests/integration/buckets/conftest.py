"""A ground whose operator has set buckets up, an S3 server, and tenants who call."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from api.app import create_app
from api.current import BUCKETS
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.base.settings import load_settings
from jobs.buckets.allowances import allow
from jobs.buckets.sources import Buckets
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.api.callers import Caller
from tests.integration.buckets.servers import LOOPBACK, S3, s3_server

KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="session")
def server() -> Iterator[S3]:
    with s3_server("secrets") as running:
        yield running


@pytest.fixture
def s3(server: S3) -> Iterator[S3]:
    """An S3 server whose buckets are empty."""
    yield server
    server.empty()


@pytest.fixture
def house(ground: Ground, s3: S3) -> Ground:
    """A ground with credentials of its own for the S3 server."""
    credentials = {"s3": {**s3.credentials, "endpoint": s3.endpoint}}
    return with_settings(
        ground,
        bucket_networks=LOOPBACK,
        bucket_credentials=json.dumps(credentials),
        connection_key=KEY,
    )


@pytest.fixture
def buckets(house: Ground) -> Iterator[Buckets]:
    opened = Buckets(house)
    yield opened
    opened.close()


@pytest.fixture
def allowed(house: Ground, tenant: NewKey, s3: S3) -> str:
    """Let the tenant name s3://photos/path/; gives the allowance's id."""
    return allow_path(house, s3, "acme", "s3://photos/path/")


@pytest.fixture
def caller(house: Ground, tenant: NewKey, digits_model: ModelVersion) -> Iterator[Caller]:
    app = create_app(house)
    yield Caller(app, tenant)
    app.extensions[LISTENER].close()
    app.extensions[BUCKETS].close()


@pytest.fixture
def stranger(caller: Caller, house: Ground) -> Caller:
    return Caller(caller.client.application, create_key(house.database, "other"))


def allow_path(ground: Ground, s3: S3, tenant: str, prefix: str) -> str:
    return allow(ground.database, ground.settings, tenant, prefix, s3.endpoint)


def with_settings(ground: Ground, **changes: Any) -> Ground:
    changed = load_settings(**{**ground.settings.model_dump(), **changes})
    return dataclasses.replace(ground, settings=changed)
