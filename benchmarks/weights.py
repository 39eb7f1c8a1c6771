"""Whether tenants get device time by their weights, when all of them have work all the time.

Ten tenants of weights 1 to 4 have one job each that never runs dry. Half of them use a network that
takes twice as long for an item: time is what is shared, not items. After a warm-up each tenant's
device time (`jobs.device_s`, which commits count) is read twice; the difference is its share.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.figures import Verdict
from benchmarks.networks import register_paced
from jobs.base.database import Database
from jobs.base.storage import Storage
from jobs.tables import Job
from jobs.tenants.keys import create_key
from pixelmill import Client
from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import RunningStack, wait_for

WEIGHTS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 4)
TOLERANCE = 0.1

# Shards of 32 or 64 ms: who gets the least runs dozens of them in a minute.
SHARD_ITEMS = 32
# More than the fastest network and the largest weight get through in the longest run.
_ITEMS = 30_000


def measure(
    stack: RunningStack, database: Database, folder: Path, warm_up_s: float, seconds: float
) -> tuple[dict[str, object], list[Verdict]]:
    """Let all tenants work, print what each got, and hold it against its weight."""
    storage = Storage((stack.data / "blobs").as_uri())
    names = register_paced(database, storage, SHARD_ITEMS)
    models = [names[architecture] for architecture in ("paced/1ms", "paced/2ms")]
    archive = many_digits_zip(folder / "paced.zip", _ITEMS)
    weights: dict[str, int] = {}
    with ExitStack() as opened:
        jobs = []
        for number, weight in enumerate(WEIGHTS):
            key = create_key(database, f"tenant {number}", weight=weight)
            weights[key.tenant_id] = weight
            client = opened.enter_context(Client(stack.info["url"], key.key))
            jobs.append((client, client.submit(archive, model=models[number % len(models)])))
        wait_for(lambda: len(device_time(database)) == len(WEIGHTS), 300, "everybody's first shard")
        time.sleep(warm_up_s)
        start, before = time.monotonic(), device_time(database)
        time.sleep(seconds)
        after, elapsed = device_time(database), time.monotonic() - start
        dry = [job.id for client, job in jobs if client.job(job).is_terminal]
        assert not dry, f"ran dry, and so got too little: {dry}"
        for client, job in jobs:
            client.cancel(job)
    used = {tenant: after[tenant] - before[tenant] for tenant in weights}
    return _judge(used, weights, elapsed)


def device_time(database: Database) -> dict[str, float]:
    """Give the device seconds that each tenant has used; who has used none is left out."""
    query = (
        select(Job.tenant_id, func.sum(Job.device_s))
        .where(Job.device_s > 0)
        .group_by(Job.tenant_id)
    )
    with database.read() as session:
        return {tenant: float(seconds) for tenant, seconds in session.execute(query)}


def _judge(
    used: Mapping[str, float], weights: Mapping[str, int], elapsed: float
) -> tuple[dict[str, object], list[Verdict]]:
    total, all_weights = sum(used.values()), sum(weights.values())
    ratios = {
        tenant: used[tenant] / total / (weight / all_weights) for tenant, weight in weights.items()
    }
    print(f"device busy {total / elapsed:.0%} of {elapsed:.0f} s")
    for tenant, weight in weights.items():
        print(
            f"weight {weight}: {used[tenant]:6.2f} s of the device, "
            f"share / expected share = {ratios[tenant]:.3f}"
        )
    figures = {
        "elapsed_s": elapsed,
        "tenants": [
            {"weight": weight, "device_s": used[tenant], "ratio": ratios[tenant]}
            for tenant, weight in weights.items()
        ],
    }
    worst = max(abs(ratio - 1) for ratio in ratios.values())
    wanted = f"every share within {TOLERANCE:.0%} of its weight's (the worst: {worst:.1%} off)"
    return figures, [Verdict(wanted, worst <= TOLERANCE)]
