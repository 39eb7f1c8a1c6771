"""Migrations go up, down and up again, and end in the tables that the code has."""

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from jobs.base.database import Database
from jobs.tables import Table
from jobs.tables.revision import HEAD
from migrations.upgrade import config_for, downgrade, upgrade
from tests.databases import DATABASES
from tests.servers import create_database, drop_database

_numbers = itertools.count(1)


@pytest.fixture(params=DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables: SQLite, and PostgreSQL."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        database.close()
        return
    admin = request.getfixturevalue("postgresql_url")
    name = f"pixelmill_empty_{os.getpid()}_{next(_numbers)}"
    database = Database(create_database(admin, name))
    yield database
    database.close()
    drop_database(admin, name)


def described(parts: Iterable[Any]) -> list[str]:
    """Write reflected parts as text, the conditions of partial indexes as well."""
    return sorted(json.dumps(part, default=str, sort_keys=True) for part in parts)


def layout_of(database: Database) -> dict[str, Any]:
    """Describe every table with its columns, keys and indexes."""
    inspector = inspect(database.engine)
    return {
        name: {
            "columns": described(inspector.get_columns(name)),
            "primary": inspector.get_pk_constraint(name)["constrained_columns"],
            "foreign": described(inspector.get_foreign_keys(name)),
            "unique": described(inspector.get_unique_constraints(name)),
            "indexes": described(inspector.get_indexes(name)),
        }
        for name in inspector.get_table_names()
    }


def differences(database: Database) -> list[Any]:
    """Say what a new migration would have to change."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Table.metadata))


def test_migrations_go_up_and_down_and_up_to_the_same_tables(empty_database: Database) -> None:
    upgrade(empty_database)
    first = layout_of(empty_database)
    assert set(first) == {*Table.metadata.tables, "alembic_version"}
    downgrade(empty_database)
    assert set(layout_of(empty_database)) == {"alembic_version"}
    upgrade(empty_database)
    assert layout_of(empty_database) == first


def test_upgrading_an_upgraded_database_changes_nothing(empty_database: Database) -> None:
    upgrade(empty_database)
    first = layout_of(empty_database)
    upgrade(empty_database)
    assert layout_of(empty_database) == first


def test_the_head_of_the_migrations_is_what_the_tables_say(empty_database: Database) -> None:
    upgrade(empty_database)
    assert differences(empty_database) == []


def test_the_migrations_make_what_the_tables_would_make_themselves(
    empty_database: Database,
) -> None:
    # The comparison above does not look at the condition of a partial index.
    with empty_database.engine.execution_options(writing=True).begin() as connection:
        Table.metadata.create_all(connection)
    wanted = layout_of(empty_database)
    with empty_database.engine.execution_options(writing=True).begin() as connection:
        Table.metadata.drop_all(connection)
    upgrade(empty_database)
    made = layout_of(empty_database)
    del made["alembic_version"]
    assert made == wanted


def test_there_is_one_line_of_migrations(empty_database: Database) -> None:
    scripts = ScriptDirectory.from_config(config_for(empty_database))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_a_shards_id_is_never_given_twice(empty_database: Database) -> None:
    upgrade(empty_database)
    insert = text(
        "INSERT INTO shards (job_id, first, count, state, attempt, deaths, expiries, errors,"
        " not_before) VALUES (:job, 0, 1, 'done', 0, 0, 0, 0, 0) RETURNING id"
    )
    with empty_database.engine.execution_options(writing=True).connect() as connection:
        begin = connection.begin()
        if empty_database.is_sqlite:
            # The shard's job is of no matter here.
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            connection.execute(text("SET session_replication_role = replica"))
        first = connection.scalar(insert, {"job": "job_1"})
        connection.execute(text("DELETE FROM shards"))
        assert connection.scalar(insert, {"job": "job_2"}) > first
        begin.rollback()


def test_the_tables_revision_is_the_head_of_the_migrations(empty_database: Database) -> None:
    scripts = ScriptDirectory.from_config(config_for(empty_database))
    assert scripts.get_current_head() == HEAD
