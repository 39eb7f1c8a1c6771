"""What the rows need of a stack that runs: its database, its store, the memory of its roles."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.usage import tree
from jobs.base.database import Database
from jobs.base.storage import Storage
from jobs.tables import Job, Table
from pixelmill import Client
from tests.e2e.stacks import RunningStack, running_stack

_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Stand:
    """A running stack with what lies under it."""

    stack: RunningStack
    client: Client
    database: Database
    storage: Storage
    # To write to; gone afterwards.
    folder: Path

    def job(self, job_id: str) -> Job:
        """Read a job's row: its times are exact there."""
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def rows(self) -> int:
        """Count the rows of all tables."""
        with self.database.read() as session:
            counts = (
                session.scalar(select(func.count()).select_from(table))
                for table in Table.metadata.sorted_tables
            )
            return sum(count or 0 for count in counts)

    def peak_bytes(self, role: str) -> int:
        """Give the most memory that the processes of a role have ever held (VmHWM)."""
        return sum(_peak_bytes(pid) for pid in tree(self.stack.pids[role]))


@contextmanager
def standing(*options: str, database_url: str = "", **environ: str) -> Iterator[Stand]:
    """Run a stack on an empty database until the block ends; SQLite unless another is named."""
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name), Path(name) / "data"
        url = database_url or f"sqlite:///{data / 'pixelmill.db'}"
        environ |= {"PIXELMILL_DATABASE_URL": url, "PIXELMILL_RATE_LIMIT": ""}
        with running_stack(data, *options, **environ) as stack:
            database, storage = Database(url), Storage((data / "blobs").as_uri())
            with Client(stack.info["url"], stack.info["api_key"], timeout=_DEADLINE_S) as client:
                yield Stand(stack, client, database, storage, folder)
            database.close()


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
