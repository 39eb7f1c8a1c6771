"""One way to the database, the same on SQLite and on PostgreSQL.

Reading and writing are told apart at the start of a transaction, because SQLite must know: a
deferred transaction that becomes a writing one fails at once, whatever `busy_timeout` says, when
another writer came first (https://www.sqlite.org/lang_transaction.html). So every writing one is
IMMEDIATE.
"""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Float, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.functions import FunctionElement

from jobs.base.settings import sqlite_path

BUSY_TIMEOUT_S = 30
_LOOK_AGAIN_S = (0.001, 0.004)


class db_now(FunctionElement[float]):  # noqa: N801  # named like the SQL function that it is
    """The database's clock, in seconds since 1970: the only clock that leases are judged by."""

    type = Float()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _now_on_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _now_on_postgresql(*_: Any, **__: Any) -> str:
    # Not now(): that one stands still while a transaction waits for a lock.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


class Database:
    """Sessions on one database; safe to share between threads, not across a fork."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._reading = sessionmaker(self.engine, expire_on_commit=False)
        writer = self.engine.execution_options(writing=True)
        self._writing = sessionmaker(writer, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads; what it reads is one consistent state on SQLite."""
        with self._reading() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction: committed at the end of the block, rolled back by an exception."""
        with self._writing() as session, session.begin():
            yield session

    def now(self) -> float:
        """Ask the database for the time, in seconds since 1970."""
        with self.read() as session:
            return session.scalar(select(db_now())) or 0.0

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()


def is_outage(err: Exception) -> bool:
    """Say whether the database is away or busy, so that the same work may succeed later."""
    # The latter: every connection of the pool is in use.
    if isinstance(err, OperationalError | PoolTimeout):
        return True
    return isinstance(err, DBAPIError) and bool(err.connection_invalidated)


def unusable(err: SQLAlchemyError) -> str:
    """Say in one line why an operator's command cannot use the database, and what to do."""
    reason = str(err).splitlines()[0]
    return (
        f"The database of PIXELMILL_DATABASE_URL cannot be used: {reason}. Is it there, and has "
        "`python -m migrations.upgrade` made its tables?"
    )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    limits = {
        # A statement that hangs is worse than one that fails: that one can be tried again.
        "statement_timeout": 60_000,
        "lock_timeout": 20_000,
        # Nor may a client that has vanished in the middle of a transaction keep what it had locked:
        # its job would stand still for as long as the server believes in the connection.
        "idle_in_transaction_session_timeout": 5_000,
        "tcp_user_timeout": 15_000,
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 3,
        "tcp_keepalives_count": 3,
    }
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    # And a network that swallows packets must not hold a worker for the kernel's quarter of an hour
    # (https://www.postgresql.org/docs/current/libpq-connect.html, keepalives; in s, s, -, ms).
    alive = {
        "keepalives_idle": 5,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    return create_engine(
        parsed,
        # Parameters can be secrets, and errors are logged.
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=16,
        pool_timeout=10,
        connect_args={"connect_timeout": 5, "options": options, **alive},
    )


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own transaction handling is switched off; `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL, so that a job that was answered with 202 survives a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get("writing", False):
        connection.exec_driver_sql("BEGIN")
    elif not _came_in_turn(connection.connection.driver_connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _came_in_turn(raw: Any) -> bool:
    """Begin to write as soon as nobody else does; False when that takes too long.

    SQLite itself looks again after 100 ms at last, and whoever comes meanwhile goes first: beside
    busy writers, who hold its lock for a twentieth of the time, that took up to two seconds.
    """
    until = time.monotonic() + BUSY_TIMEOUT_S
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < until:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as err:
                if err.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
            time.sleep(random.uniform(*_LOOK_AGAIN_S))  # nothing is secret about it
        return False
    finally:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
