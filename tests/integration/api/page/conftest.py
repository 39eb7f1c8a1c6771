"""Visitors of the page: one of the tenant, a stranger, and an operator."""

import pytest
from apiflask import APIFlask

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.api.page.visitors import Visitor


@pytest.fixture
def visitor(app: APIFlask, tenant: NewKey, digits_model: ModelVersion) -> Visitor:
    found = Visitor(app, tenant)
    assert found.sign_in().status_code == 303
    return found


@pytest.fixture
def visiting_stranger(app: APIFlask, ground: Ground) -> Visitor:
    found = Visitor(app, create_key(ground.database, "other"))
    found.sign_in()
    return found


@pytest.fixture
def visiting_operator(app: APIFlask, ground: Ground, digits_model: ModelVersion) -> Visitor:
    found = Visitor(app, create_key(ground.database, "ops", admin=True))
    found.sign_in()
    return found
