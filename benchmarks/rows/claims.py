"""How long a claim takes under a huge backlog: `python -m benchmarks.rows.claims`.

10,000 runnable jobs of 20 tenants with 1,000,000 pending shards, on SQLite and on PostgreSQL.
Prints the median and the 95th percentile of a claim, how much of it is this process's own computing
(the rest is the database's and the disk's), and the plans of its three look-ups. Ends with status 1
when a 95th percentile is above what is wanted. How ten processes fare that claim at once on
PostgreSQL is printed for information.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert, text

from benchmarks.figures import Verdict, close, percentile
from jobs.base.database import Database
from jobs.base.states import JobStatus, ShardState
from jobs.queue.scheduling import claim
from jobs.queue.turns import Line
from jobs.tables import Job, ModelVersion, Shard, Tenant
from migrations.upgrade import upgrade
from tests.servers import create_database, postgresql_server

TENANTS = 20
CLAIMERS = 10
WANTED_P95_S = {"SQLite": 0.010, "PostgreSQL": 0.005}
# Claims that nobody counts: the first ones compile and prepare the statements.
_WARM_UP = 20


def fill(database: Database, jobs: int, shards_each: int) -> None:
    """Insert the backlog."""
    now = database.now()
    with database.write() as session:
        session.execute(
            insert(Tenant),
            [
                {
                    "id": f"ten_{number}",
                    "name": str(number),
                    "webhook_secret": "",
                    "created_at": now,
                }
                for number in range(TENANTS)
            ],
        )
        session.execute(
            insert(ModelVersion),
            [
                {
                    "name": "m", "version": 1, "digest": "d", "record": {}, "weights": "w",
                    "created_at": now,
                }
            ],
        )  # fmt: skip
        session.execute(insert(Job), [_job(number, shards_each, now) for number in range(jobs)])
    for start in range(0, jobs, 500):
        with database.write() as session:
            session.execute(
                insert(Shard),
                [
                    {
                        "job_id": f"job_{number:06d}",
                        "first": 10 * shard,
                        "count": 10,
                        "state": ShardState.PENDING,
                    }
                    for number in range(start, min(start + 500, jobs))
                    for shard in range(shards_each)
                ],
            )
    _settle(database)


def _settle(database: Database) -> None:
    """Bring the database to rest: what a million rows leave to be done is not a claim's."""
    outside = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        if database.is_sqlite:
            connection.execute(text("ANALYZE"))
        else:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))


def _job(number: int, shards: int, now: float) -> dict[str, object]:
    return {
        "id": f"job_{number:06d}", "tenant_id": f"ten_{number % TENANTS}",
        "status": JobStatus.IN_PROGRESS, "requested": {}, "model_name": "m", "model_version": 1,
        "model_digest": "d", "pool": "cpu", "params": {}, "priority": "normal", "metadata_": {},
        "total": 10 * shards, "pending_shards": shards, "share": number / 1000,
        "created_at": now, "expires_at": now + 86400,
    }  # fmt: skip


def measure(database: Database, claims: int) -> tuple[list[float], float]:
    """Give the seconds that each of some claims took, and this process's CPU seconds for one."""
    for _ in range(_WARM_UP):
        claim(database, Line("cpu"), "bench", 600)
    taken, computing = [], time.process_time()
    for _ in range(claims):
        start = time.perf_counter()
        lease = claim(database, Line("cpu"), "bench", 600)
        taken.append(time.perf_counter() - start)
        assert lease is not None
    return taken, (time.process_time() - computing) / claims


def measure_together(url: str, claims: int) -> list[float]:
    """Give the seconds of each claim when several processes claim at once."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(CLAIMERS), context.SimpleQueue()
    arguments = (url, claims // CLAIMERS, barrier, results)
    claimers = [context.Process(target=_claimer, args=arguments) for _ in range(CLAIMERS)]
    for claimer in claimers:
        claimer.start()
    taken = [seconds for _ in claimers for seconds in results.get()]
    for claimer in claimers:
        claimer.join()
    return taken


def _claimer(url: str, claims: int, barrier: Any, results: Any) -> None:
    database = Database(url)
    claim(database, Line("cpu"), "bench", 600)
    barrier.wait(60)
    taken, _ = measure(database, claims)
    results.put(taken)
    database.close()


def plans(database: Database) -> list[str]:
    """Explain the statements of one claim, as the database runs them."""
    seen: list[tuple[str, object]] = []

    def note(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE shards")):
            seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    claim(database, Line("cpu"), "bench", 600)
    event.remove(database.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    lines = []
    with database.engine.connect() as connection:
        for statement, parameters in seen[:3]:
            rows = connection.exec_driver_sql(explain + statement, parameters)
            lines += ["", *(str(row[-1]) for row in rows)]
    return lines


@contextmanager
def databases() -> Iterator[list[tuple[str, str]]]:
    """Give an SQLite and a PostgreSQL, both empty."""
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as admin:
        sqlite = f"sqlite:///{Path(folder) / 'bench.db'}"
        yield [("SQLite", sqlite), ("PostgreSQL", create_database(admin, "bench"))]


def main() -> int:
    """Run on both databases; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=100, help="of each job")
    parser.add_argument("--claims", type=int, default=500)
    given = parser.parse_args()
    figures: dict[str, object] = {"jobs": given.jobs, "shards": given.jobs * given.shards}
    verdicts = []
    with databases() as urls:
        for name, url in urls:
            database = Database(url)
            upgrade(database)
            fill(database, given.jobs, given.shards)
            figures[name], verdict = _report(name, *measure(database, given.claims))
            verdicts.append(verdict)
            print("\n".join(plans(database)), "\n")
            database.close()
            if name == "PostgreSQL":
                figures["together"] = _report_together(measure_together(url, given.claims))
    return close("claims", figures, verdicts)


def _report(name: str, taken: list[float], computing: float) -> tuple[dict[str, float], Verdict]:
    p50, p95, limit = statistics.median(taken), percentile(taken, 0.95), WANTED_P95_S[name]
    print(
        f"{name}: a claim takes {p50 * 1e3:.2f} ms (median), {p95 * 1e3:.2f} ms (p95), "
        f"of it {computing * 1e3:.2f} ms computing here (mean)"
    )
    wanted = f"{name}: a claim's p95 {p95 * 1e3:.2f} ms <= {limit * 1e3:.0f} ms"
    return {"p50_s": p50, "p95_s": p95, "computing_s": computing}, Verdict(wanted, p95 <= limit)


def _report_together(taken: list[float]) -> dict[str, object]:
    p50, p95 = statistics.median(taken), percentile(taken, 0.95)
    print(f"{CLAIMERS} processes at once: {p50 * 1e3:.2f} ms (median), {p95 * 1e3:.2f} ms (p95)")
    return {"claimers": CLAIMERS, "p50_s": p50, "p95_s": p95}


if __name__ == "__main__":
    sys.exit(main())
