"""SQLite's one writer: whoever waits for it comes soon, and is told when it takes too long."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import jobs.base.database
from jobs.base.database import Database, is_outage


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'some.db'}")
    with opened.write() as session:
        session.execute(text("CREATE TABLE counts (number INTEGER)"))
    yield opened
    opened.close()


def test_a_writer_looks_again_every_few_milliseconds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    has_waited = threading.Event()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 20:
            has_waited.set()
        # Without this the test would look again without end.
        threading.Event().wait(0.001)

    monkeypatch.setattr(jobs.base.database.time, "sleep", sleep)
    with database.write() as session:
        session.execute(text("INSERT INTO counts VALUES (1)"))
        other = threading.Thread(target=write_one, args=[database])
        other.start()
        assert has_waited.wait(20)
    other.join(20)
    assert count(database) == 2
    assert max(slept) <= 0.005


def test_a_writer_whose_turn_does_not_come_is_told_of_an_outage(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.base.database, "BUSY_TIMEOUT_S", 0)
    with database.write() as session:
        session.execute(text("INSERT INTO counts VALUES (1)"))
        with pytest.raises(OperationalError, match="locked") as caught:
            write_one(database)
    assert is_outage(caught.value)
    write_one(database)
    assert count(database) == 2


def test_readers_are_not_held_up_by_a_writer(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO counts VALUES (1)"))
        assert count(database) == 0
    assert count(database) == 1


def write_one(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO counts VALUES (1)"))


def count(database: Database) -> int:
    with database.read() as session:
        return int(session.scalar(text("SELECT count(*) FROM counts")) or 0)
