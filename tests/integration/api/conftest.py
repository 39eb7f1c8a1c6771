"""The application on a real ground floor, and two tenants who call it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.api.callers import Caller
from tests.integration.api.fronts import Front, running_front


@pytest.fixture
def app(ground: Ground) -> Iterator[APIFlask]:
    app = create_app(ground)
    yield app
    app.extensions[LISTENER].close()


@pytest.fixture
def caller(app: APIFlask, tenant: NewKey, digits_model: ModelVersion) -> Caller:
    return Caller(app, tenant)


@pytest.fixture
def stranger(app: APIFlask, ground: Ground) -> Caller:
    """Somebody else, with a key of their own."""
    return Caller(app, create_key(ground.database, "other"))


@pytest.fixture
def operator(app: APIFlask, ground: Ground) -> Caller:
    """Somebody who may change what all tenants share."""
    return Caller(app, create_key(ground.database, "ops", admin=True))


@pytest.fixture
def front(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path
) -> Iterator[Front]:
    """Serve the API by processes of its own."""
    with running_front(ground, tenant, tmp_path) as running:
        yield running
