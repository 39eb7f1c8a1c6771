"""1 to 16 workers with a network that sleeps: items a second, and what the database and Redis bear.

On PostgreSQL, which counts its transactions itself. One job never runs dry; after a warm-up the
counts are read twice, and the differences are what a worker adds.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import redis
from sqlalchemy import func, select

from benchmarks.figures import Verdict
from benchmarks.networks import register_paced
from benchmarks.report import Row
from benchmarks.stand import Stand, standing
from jobs.base.states import ShardState
from jobs.tables import Shard
from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import wait_for
from tests.servers import create_database, postgresql_server

_WORKERS, _QUICK_WORKERS = (1, 2, 4, 8, 16), (1, 2)
_SHARD_ITEMS = 64
# Seconds of warm-up, and of measurement.
_WARM_UP_S, _MEASURE_S = 3.0, 10.0
# More than sixteen workers get through, at ten milliseconds an item.
_ITEMS_A_WORKER = 100 * 60
_LEAST, _MOST_LOAD = 0.9, 1.25

Counts = Mapping[str, float]


def measure(quick: bool) -> Row:
    """Run the same job on more and more workers."""
    with postgresql_server() as admin:
        found = {
            workers: _with_workers(workers, create_database(admin, f"workers{workers}"))
            for workers in (_QUICK_WORKERS if quick else _WORKERS)
        }
    alone, verdicts = found[1], []
    for workers, counts in found.items():
        linear = counts["items/s"] / alone["items/s"] / workers
        verdicts.append(Verdict(f"{workers} workers: {linear:.2f} linear >= {_LEAST}",
                                linear >= _LEAST))  # fmt: skip
    last = found[max(found)]
    for name in ("database transactions an item", "Redis commands an item"):
        load = last[name] / alone[name]
        wanted = f"{name}: {load:.2f} x that of one worker <= {_MOST_LOAD}"
        verdicts.append(Verdict(wanted, load <= _MOST_LOAD))
    return Row("Workers with a network that sleeps", verdicts, figures={str(n): c for n, c in
               found.items()})  # fmt: skip


def _with_workers(workers: int, url: str) -> Counts:
    environ = {
        "PIXELMILL_EXTENSIONS": "benchmarks.networks",
        "PYTHONPATH": str(Path.cwd()),
        # A worker that has all cores for itself would sleep in several lanes at a time.
        "PIXELMILL_LANES": "1",
    }
    with standing("--workers", str(workers), database_url=url, **environ) as stand:
        model = register_paced(stand.database, stand.storage, _SHARD_ITEMS)["paced/10ms"]
        archive = many_digits_zip(stand.folder / "paced.zip", workers * _ITEMS_A_WORKER)
        job = stand.client.submit(archive, model=model)
        wait_for(lambda: _owners(stand) == workers, 300, "every worker's first shard")
        time.sleep(_WARM_UP_S)
        before, start = _counts(stand, url, job.id), time.perf_counter()
        time.sleep(_MEASURE_S)
        after, seconds = _counts(stand, url, job.id), time.perf_counter() - start
        stand.client.cancel(job)
    items = after["items"] - before["items"]
    loads = {f"{name} an item": (after[name] - before[name]) / items for name in after}
    loads.pop("items an item")
    counts = {"items/s": items / seconds, **loads}
    print(f"{workers} workers: {counts}", flush=True)
    return counts


def _owners(stand: Stand) -> int:
    """Count the workers that hold a shard."""
    leased = select(func.count(Shard.owner.distinct())).where(Shard.state == ShardState.LEASED)
    with stand.database.read() as session:
        return session.scalar(leased) or 0


def _counts(stand: Stand, url: str, job_id: str) -> Counts:
    socket = next((stand.stack.data / "run").glob("*.sock"), None)
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    with redis.Redis(unix_socket_path=str(socket)) as client:
        commands = client.info("stats")["total_commands_processed"]
    return {
        "items": stand.job(job_id).completed,
        "database transactions": row[0] if row else 0,
        "Redis commands": commands,
    }
