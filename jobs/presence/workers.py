"""Worker processes tell that they live, and operators tell them to claim nothing for a while.

    unknown ──announce──► seen ──► silent (nobody has heard of it for some time) ──forget──► unknown
                           │ ▲
                     drain ▼ │ resume
                          drained: what is in flight is finished, nothing new is claimed

A drain is kept under the process's name, so it outlasts a restart. A process that could not be
reached by a drain (it is gone, or has another name now) is answered with NotFound.
"""

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import NotFound
from jobs.base.hints import IO
from jobs.tables import WorkerProcess

# Between two signs of life; a page that waits for one that is late says so within ten seconds. And
# after how long a process that gives none is no longer alive: many are missed before that.
SIGN_S, SILENT_S = 4.0, 35.0
# When a row is of no use any more: names of io processes and containers do not come back.
_FORGOTTEN_S = 86_400.0

# Of the half of a launcher's name that is drawn for it (workers.names).
_DRAWN_LENGTH = 8

_NO_SESSION = {"synchronize_session": False}


def announce(database: Database, node: str, pool: str, version: str) -> bool:
    """Write a process down as it starts; gives whether it is drained."""
    with database.write() as session:
        now = session.scalar(select(db_now())) or 0.0
        row = session.get(WorkerProcess, node)
        if row is None:
            row = WorkerProcess(node=node, pool=pool, drained_at=None)
            session.add(row)
        row.version, row.started_at, row.seen_at = version, now, now
        return row.drained_at is not None


def give_sign(database: Database, node: str) -> bool:
    """Say that a process lives; False when its row is gone, and it is to announce itself again."""
    moved = update(WorkerProcess).where(WorkerProcess.node == node).values(seen_at=db_now())
    with database.write() as session:
        found = session.scalar(moved.returning(WorkerProcess.node), execution_options=_NO_SESSION)
        return found is not None


def leave(database: Database, node: str) -> None:
    """Say that a process ends; who is drained stays known, for it may come back under its name."""
    with database.write() as session:
        session.execute(
            update(WorkerProcess).where(WorkerProcess.node == node).values(seen_at=0.0),
            execution_options=_NO_SESSION,
        )


def is_drained(database: Database, node: str) -> bool:
    """Say whether a process is to claim nothing."""
    query = select(WorkerProcess.node).where(
        WorkerProcess.node == node, WorkerProcess.drained_at.is_not(None)
    )
    with database.read() as session:
        return session.scalar(query) is not None


def is_alive() -> ColumnElement[bool]:
    """Whether a process was seen lately, in SQL."""
    return WorkerProcess.seen_at > db_now() - SILENT_S


def living(session: Session) -> Sequence[WorkerProcess]:
    """Give the processes that were seen lately, by name."""
    query = select(WorkerProcess).where(is_alive()).order_by(WorkerProcess.node)
    return session.scalars(query).all()


def drain(session: Session, name: str) -> list[str]:
    """Have processes claim nothing from now on; gives their names. Raises NotFound."""
    return _set(session, name, func.coalesce(WorkerProcess.drained_at, db_now()))


def resume(session: Session, name: str) -> list[str]:
    """Let processes claim again; gives their names. Raises NotFound."""
    return _set(session, name, None)


def forget_silent(database: Database) -> int:
    """Forget processes that have been silent for a day and are not drained; gives their number."""
    old = WorkerProcess.seen_at < db_now() - _FORGOTTEN_S, WorkerProcess.drained_at.is_(None)
    with database.read() as session:
        if session.scalar(select(WorkerProcess.node).where(*old).limit(1)) is None:
            return 0
    with database.write() as session:
        gone = delete(WorkerProcess).where(*old).returning(WorkerProcess.node)
        return len(session.scalars(gone, execution_options=_NO_SESSION).all())


def _set(session: Session, name: str, drained_at: object) -> list[str]:
    """Change one process (`host-1f0c9a2e/cpu0`), a launcher's (`host-1f0c9a2e`), or a `host`'s."""
    node = WorkerProcess.node
    host = re.sub(r"([\\%_])", r"\\\1", name)
    which = or_(
        node == name,
        node.startswith(f"{name}/", autoescape=True),
        node.like(f"{host}-{'_' * _DRAWN_LENGTH}/%", escape="\\"),
    )
    moved = (
        update(WorkerProcess)
        # io processes do errands, which drain by themselves when the process is stopped.
        .where(which, WorkerProcess.pool != IO)
        .values(drained_at=drained_at)
        .returning(node)
    )
    found = session.scalars(moved, execution_options=_NO_SESSION).all()
    if not found:
        raise NotFound(
            f"There is no inference worker {name!r}. `pixelmill admin workers` lists them; a "
            "launcher's name, or a host's, stands for all of its processes."
        )
    return sorted(found)
