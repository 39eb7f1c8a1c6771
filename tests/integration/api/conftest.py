"""The application on a real ground floor, and two tenants who call it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from migrations.grants import ROLES, grant_rights
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


@pytest.fixture
def as_role(ground: Ground) -> Iterator[Callable[[str], Ground]]:
    """Give the ground as a service has it that connects by its role."""
    if ground.database.is_sqlite:
        pytest.skip("SQLite has no roles")
    owner = ground.database
    _run_each(owner, "CREATE ROLE {}")
    assert sorted(grant_rights(owner)) == sorted(ROLES)
    with ExitStack() as opened:

        def connect(role: str) -> Ground:
            database = Database(owner.engine.url.render_as_string(hide_password=False))
            opened.callback(database.close)
            event.listen(database.engine, "connect", lambda raw, _: _play(raw, role))
            with database.read() as session:
                assert session.scalar(text("SELECT current_user")) == role
            return replace(ground, database=database)

        yield connect
    _run_each(owner, "DROP OWNED BY {0}", "DROP ROLE {0}")


def _play(connection: DBAPIConnection, role: str) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET ROLE {role}")
    cursor.close()
    connection.commit()


def _run_each(owner: Database, *statements: str) -> None:
    with owner.engine.execution_options(writing=True).begin() as connection:
        for role in ROLES:
            for statement in statements:
                connection.execute(text(statement.format(role)))
