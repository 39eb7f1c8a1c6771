"""Fixtures for all tests: real databases, a real Redis, and rows with defaults."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.database import Database
from jobs.base.settings import load_settings
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.registry import register
from migrations.upgrade import upgrade
from tests.databases import databases_of
from tests.servers import create_database, drop_database, postgresql_server, redis_server

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whoever asks for a database on those that its file is for, if it does not say itself."""
    said = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "database_url" in metafunc.fixturenames and "database_url" not in said:
        metafunc.parametrize(
            "database_url", databases_of(metafunc.definition.path), indirect=True, scope="function"
        )


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The administrative URL of a PostgreSQL that has a migrated template."""
    with postgresql_server() as url:
        database = Database(create_database(url, "pixelmill_template"))
        upgrade(database)
        database.close()
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database; tests/databases.py says of which kinds."""
    if request.param == "sqlite":
        path = tmp_path / "pixelmill.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    admin = request.getfixturevalue("postgresql_url")
    name = f"pixelmill_{os.getpid()}_{next(_numbers)}"
    yield create_database(admin, name, "pixelmill_template")
    drop_database(admin, name)


@pytest.fixture
def ground(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Ground]:
    """The ground floor on a fresh database, a fresh folder and an empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    opened = open_ground(
        load_settings(
            database_url=database_url,
            redis_url=redis_url,
            storage_url=(tmp_path / "blobs").as_uri(),
        )
    )
    yield opened
    opened.close()


@pytest.fixture
def tenant(ground: Ground) -> NewKey:
    return create_key(ground.database, "acme")


@pytest.fixture
def digits_model(ground: Ground) -> ModelVersion:
    """A model that API and store tests can name; its weights are never loaded."""
    record = {
        "name": "digits",
        "task": "classification",
        "architecture": "digits",
        "input_kind": "image",
        "labels": [str(digit) for digit in range(10)],
        "preprocess": {},
        "max_batch": 64,
        "shard_items": 100,
        "limits": {},
        "metrics": {},
        "description": "",
    }
    return register(
        ground.database, ground.storage, "digits", record, b"weights", "sha256:" + "0" * 64
    )
