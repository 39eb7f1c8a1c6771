"""A stack of an earlier version that was killed at work goes on with the code of today."""

import hashlib
import json
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from models.catalog import SHIPPED, shipped_weights
from models.pictures.data import encode, heldout_digits
from models.runtime.registry import load
from tests.e2e.stacks import results_of, running_stack
from tests.servers import create_database, postgresql_server

CASES = Path(__file__).parents[2] / "cases" / "upgrades"
ITEMS, DONE = 3000, 375
TIMES = """SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'double precision'"""


@contextmanager
def old_house(kind: str, data: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Unpack a stack as if it had been killed now; gives what is said of it, and its settings."""
    with tarfile.open(CASES / f"{kind}.tar.xz") as archive:
        archive.extractall(data, filter="data")
    about = json.loads((data / "about.json").read_text())
    if kind == "sqlite":
        with closing(sqlite3.connect(data / "pixelmill.db")) as database, database:
            columns = [
                (table, name)
                for (table,) in database.execute(
                    "SELECT name FROM sqlite_master WHERE type='table'"
                )
                for _, name, kind_of, *_ in database.execute(f"PRAGMA table_info({table})")
                if kind_of == "FLOAT"
            ]
            make_recent(database, columns, data, about["at"])
        yield about, {}
        return
    with postgresql_server() as admin:
        url = create_database(admin, "pixelmill_of_before")
        with psycopg.connect(url) as database:
            database.execute((data / "dump.sql").read_text())
            database.execute("SET search_path TO public")
            columns = database.execute(TIMES).fetchall()
            make_recent(database, columns, data, about["at"])
        yield about, {"PIXELMILL_DATABASE_URL": url}


def make_recent(database: Any, columns: list[tuple[str, str]], data: Path, at: float) -> None:
    """Bring the times of all tables to this moment, and the shipped weights to where they lay."""
    passed = time.time() - at
    for table, name in columns:
        if name.endswith(("_at", "_until")):
            database.execute(f"UPDATE {table} SET {name} = {name} + {passed}")
    versions = database.execute("SELECT name, digest, weights FROM model_versions").fetchall()
    for name, digest, blob in versions:
        weights = shipped_weights(name)
        assert f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}" == digest
        (data / "blobs" / blob).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(weights, data / "blobs" / blob)


def digits_by_the_network() -> list[str]:
    network = load(SHIPPED["digits"], shipped_weights("digits").read_bytes())
    params = {"top_k": 1, "min_confidence": 0.0}
    pictures = [network.prepare(encode(image, ".png")) for image in heldout_digits()[0]]
    return [answer[0]["class"] for answer in network.postprocess(network.forward(pictures), params)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_jobs_that_ran_then_complete_now(tmp_path: Path, kind: str) -> None:
    data = tmp_path / "data"
    with old_house(kind, data) as (about, settings), running_stack(data, **settings) as stack:
        client = stack.client()
        (only,) = results_of(client, about["one"])
        assert only["status"] == "succeeded"
        assert client.job(about["running"]).request_counts.completed >= DONE
        expected = digits_by_the_network()
        for name in ("running", "late"):
            job = client.wait(about[name], timeout=180)
            assert (job.outcome, job.request_counts.total) == ("succeeded", ITEMS)
            rows = results_of(client, about[name])
            assert [row["index"] for row in rows] == list(range(ITEMS))
            found = [row["predictions"][0]["class"] for row in rows]
            assert found == [expected[index % len(expected)] for index in range(ITEMS)]
