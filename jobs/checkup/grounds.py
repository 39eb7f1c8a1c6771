"""Looks at database, clock, storage, disk and Redis. Nothing here raises: what fails is told."""

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database
from jobs.base.hints import Hints
from jobs.base.settings import GIB, Settings, sqlite_path
from jobs.base.states import VersionState
from jobs.base.storage import BlobMissing, Storage, StorageError, StorageFull
from jobs.checkup.finding import Finding
from jobs.checkup.tables import is_migrated, revision_of
from jobs.tables import ModelVersion
from jobs.tables.revision import HEAD

# Beyond this, whoever reads times of two machines is misled; receivers of webhooks allow minutes.
MOST_SKEW_S = 5.0
# What a disk should have left, whichever is less: a segment, a spooled film, SQLite's log.
_LEAST_FREE, _LEAST_SHARE = 2 * GIB, 0.05
# More than a full disk has left in its last pages.
_PROBE = bytes(64 * 1024)
# The one blob that is written again and again, so that none is ever left over.
_PROBE_NAME = "probes/readyz"
_FIRST_WEIGHTS = (
    select(ModelVersion.weights)
    .where(ModelVersion.state == VersionState.READY)
    .order_by(ModelVersion.created_at)
    .limit(1)
)


def check_database(database: Database) -> Finding:
    """Look whether the database answers, takes a transaction, and is at this code's revision."""
    try:
        with database.read() as session:
            found, sound = revision_of(session.connection()), is_migrated(session.connection())
        if not sound:
            return Finding(
                "database",
                f"its tables are at revision {found or 'none'}, and this version needs {HEAD}",
                "Stop nothing; run `python -m migrations.upgrade`.",
            )
        _write_nothing(database)
    except SQLAlchemyError as err:
        return Finding("database", _reason(err), _remedy(err, database))
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    return Finding("database", f"{kind}, revision {found}")


def _write_nothing(database: Database) -> None:
    """Begin to write, and leave it at that; raises SQLAlchemyError where nothing may be written."""
    if database.is_sqlite:
        with database.write() as session:
            # The head of the file, as it is: a writing statement that changes nothing.
            version = session.scalar(text("PRAGMA user_version"))
            session.execute(text(f"PRAGMA user_version = {int(version or 0)}"))


def _reason(err: SQLAlchemyError) -> str:
    return str(getattr(err, "orig", None) or err).strip().splitlines()[0].rstrip(".")


def _remedy(err: SQLAlchemyError, database: Database) -> str:
    text_of = str(err)
    if "readonly" in text_of or "unable to open" in text_of:
        file = database.engine.url.database
        return f"Give this user ({_user()}) the right to write {file} and its folder."
    if "permission denied" in text_of:
        return "Run `python -m migrations.upgrade` as the owner: it gives each role its rights."
    return "Start it, and hold PIXELMILL_DATABASE_URL against where it listens."


def check_privacy(settings: Settings) -> Finding | None:
    """Look whether other users can read an SQLite database; None where there is none."""
    if not settings.is_sqlite:
        return None
    path = sqlite_path(settings.database_url)
    try:
        mode, folder = path.stat().st_mode, path.parent.stat().st_mode
    except OSError:
        return None  # that it is not there is told already
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and folder & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(
            "privacy",
            f"other users of this machine can read {path}",
            f"Run `chmod 600 {path}` and `chmod 700 {path.parent}`.",
        )
    return Finding("privacy", "no other user can read the database")


def check_clock(database: Database, clock: Callable[[], float] = time.time) -> Finding | None:
    """Hold this machine's clock against the database's; None where the database does not answer."""
    try:
        before, there, after = clock(), database.now(), clock()
    except SQLAlchemyError:
        return None
    skew = there - (before + after) / 2
    if abs(skew) > MOST_SKEW_S:
        return Finding(
            "clock",
            f"this machine's is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the "
            "database's",
            "Nothing is lost by it, but logs mislead: run NTP (chrony or timesyncd) on both.",
        )
    return Finding("clock", f"{abs(skew):.1f} s from the database's")


def probe_storage(storage: Storage) -> StorageError | None:
    """Write a small blob; gives what the store says against it."""
    try:
        storage.put(_PROBE_NAME, [_PROBE])
    except StorageError as err:
        return err
    return None


def lost_blob(database: Database, storage: Storage) -> str | None:
    """Give a blob that the database names and the store lacks: the weights of its first network.

    A folder that is not mounted is as empty as a new one, and takes blobs as well. None where the
    database names nothing, or cannot be asked; raises StorageError when the store does not answer.
    """
    try:
        with database.read() as session:
            name = session.scalar(_FIRST_WEIGHTS)
    except SQLAlchemyError:  # that it is away is told already
        return None
    if name is None:
        return None
    try:
        storage.size(name)
    except BlobMissing:
        return name
    return None


def check_storage(settings: Settings, database: Database) -> Finding:
    """Look whether the store takes a blob, and has what the database names."""
    shown = settings.storage_url.partition("?")[0]
    lost: str | None = None
    try:
        storage = Storage(settings.storage_url)
        err = probe_storage(storage)
        lost = lost_blob(database, storage) if err is None else None
    except Exception as unopened:  # a store may raise anything of its own when it is opened
        return Finding("storage", _first_line(unopened), "Correct PIXELMILL_STORAGE_URL.")
    if lost is not None:
        return Finding(
            "storage",
            f"{shown} is writable, and lacks what the database names, such as {lost}",
            "Mount what belongs there, correct PIXELMILL_STORAGE_URL, or restore the blobs.",
        )
    if err is None:
        return Finding("storage", f"{shown} is writable")
    if isinstance(err, StorageFull):
        return Finding("storage", f"{shown} is full", "Make room: `pixelmill admin storage`.")
    if isinstance(err, BlobMissing):
        return Finding(
            "storage", f"{shown} does not exist", "Make it, or correct PIXELMILL_STORAGE_URL."
        )
    remedy = f"Give this user ({_user()}) the right to write there, or see that the store answers."
    return Finding("storage", _first_line(err), remedy)


def check_disk(settings: Settings) -> list[Finding]:
    """Look how much room is left where things of ours are kept."""
    places = {Path(os.environ.get("TMPDIR", "/tmp")): "spooled films"}  # noqa: S108  # looked at
    if settings.storage_url.startswith("file://"):
        places[Path(settings.storage_url.removeprefix("file://")).resolve()] = "blobs"
    if settings.is_sqlite:
        places[sqlite_path(settings.database_url).resolve().parent] = "the database"
    return [_room(path, what) for path, what in places.items() if path.is_dir()]


def _room(path: Path, what: str) -> Finding:
    usage = shutil.disk_usage(path)
    told = f"{usage.free / GIB:.1f} GiB free for {what} in {path}"
    if usage.free < min(_LEAST_FREE, _LEAST_SHARE * usage.total):
        return Finding("disk", f"only {told}", "Make room, or keep results for fewer days.")
    return Finding("disk", told)


def check_redis(settings: Settings) -> Finding:
    """Look whether Redis answers."""
    hints = Hints(settings.redis_url)
    try:
        if hints.is_reachable():
            return Finding("redis", "answers")
    finally:
        hints.close()
    return Finding(
        "redis",
        "does not answer; jobs begin up to two seconds later, and nothing is lost",
        "Start it, and hold PIXELMILL_REDIS_URL against where it listens.",
    )


def _user() -> str:
    return f"uid {os.getuid()}"


def _first_line(err: BaseException) -> str:
    return (str(err).splitlines() or [type(err).__name__])[0].rstrip(".")
