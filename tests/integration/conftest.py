"""What a service may do that connects to PostgreSQL by a role of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from migrations.grants import ROLES, grant_rights


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
