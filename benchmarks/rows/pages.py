"""Every page beside 100,000 jobs and one of 1,000,000 items, with 500 open streams of events.

The jobs are written straight into store and database, as commits would have left them. What is
measured is what somebody waits for on the same machine: from the request to the last byte.
"""

import random
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import insert, select

from benchmarks.figures import Verdict
from benchmarks.report import Row as ReportRow
from benchmarks.stand import Stand, standing
from benchmarks.usage import memory_bytes, tree
from jobs.base.ids import new_id
from jobs.base.states import ItemStatus, JobStatus, Outcome, ShardState
from jobs.base.storage import segment_name
from jobs.inputs.manifests import Item, write_manifest
from jobs.results.segments import ItemError, Row, to_json, write_segment
from jobs.results.summaries import summarize, write_summary
from jobs.tables import Job, Shard, Tenant

_MIB = 1024**2
_MOST_MS, _MOST_GROWTH_MIB, _STREAMS = 200.0, 100.0, 500
_SHARD_ITEMS = 6000
_TRIES = 5
_AT_ONCE = 5000
_PAGES = (
    "/jobs", "/jobs?status=failed", "/jobs?text=batch+77777", "/jobs?model=digits", "/new",
    "/playground", "/models", "/models/digits", "/trainings", "/workers", "/webhooks", "/keys",
    "/audit",
)  # fmt: skip
_OF_THE_JOB = (
    "", "/live", "/summary", "/failures", "/results", "/results?after=90.17",
    "/results?of=errored", "/results?view=pictures", "/results?view=pictures&class=rare",
    "/results?view=pictures&least=0.95", "/items/500000",
)  # fmt: skip


def measure(quick: bool) -> ReportRow:
    """Ask for every page alone, and again beside the streams."""
    jobs, items = (10_000, 100_000) if quick else (100_000, 1_000_000)
    with standing() as stand:
        job = _write_large(stand, items)
        _write_many(stand, jobs)
        with _visitor(stand) as visitor:
            paths = [*_PAGES, *(f"/jobs/{job}{part}" for part in _OF_THE_JOB)]
            # The first to ask has classes and confidences counted.
            first = _count_through(visitor, f"/jobs/{job}/summary")
            alone = {path: _slowest_ms(visitor, path) for path in paths}
            before, threads = _memory(stand), _threads(stand)
            with _streams(stand, _STREAMS):
                beside = {path: _slowest_ms(visitor, path) for path in paths}
                more = _threads(stand) - threads
            growth = (_memory(stand) - before) / _MIB
    for path in paths:
        print(f"{alone[path]:7.0f} ms {beside[path]:7.0f} ms  {path.replace(job, 'JOB')}")
    worst, worst_beside = max(alone.values()), max(beside.values())
    verdicts = [
        Verdict(f"the slowest of {len(paths)} pages: {worst:.0f} ms <= {_MOST_MS:.0f} ms",
                worst <= _MOST_MS),
        Verdict(f"beside {_STREAMS} streams: {worst_beside:.0f} ms <= {_MOST_MS:.0f} ms",
                worst_beside <= _MOST_MS),
        Verdict(f"the first look at the answers: {first:.0f} ms a step <= {_MOST_MS:.0f} ms",
                first <= _MOST_MS),
        Verdict(f"{_STREAMS} streams took {more} threads and {growth:.0f} MiB "
                f"<= {_MOST_GROWTH_MIB:.0f} MiB", growth <= _MOST_GROWTH_MIB),
    ]  # fmt: skip
    figures = {"slowest page, ms": worst, "beside the streams, ms": worst_beside}
    return ReportRow(
        f"Pages with {jobs:,} jobs and one of {items:,} items", verdicts, figures=figures
    )


@contextmanager
def _visitor(stand: Stand) -> Iterator[httpx.Client]:
    """Somebody who has signed in."""
    url, key = stand.stack.info["url"], stand.stack.info["api_key"]
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as visitor:
        same_site = {"Sec-Fetch-Site": "same-origin"}
        visitor.post("/sign-in", data={"key": key}, headers=same_site)
        yield visitor


def _ms(visitor: httpx.Client, path: str) -> tuple[float, str]:
    start = time.perf_counter()
    answer = visitor.get(path)
    took = (time.perf_counter() - start) * 1e3
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return took, answer.text


def _slowest_ms(visitor: httpx.Client, path: str) -> float:
    """Give the slowest of some tries, but for the first, which fills what is kept."""
    _ms(visitor, path)
    return max(_ms(visitor, path)[0] for _ in range(_TRIES))


def _count_through(visitor: httpx.Client, path: str) -> float:
    """Ask until all answers are counted; gives the slowest step."""
    slowest = 0.0
    while True:
        took, text = _ms(visitor, path)
        slowest = max(slowest, took)
        if not re.search("still counting", text):
            return slowest


@contextmanager
def _streams(stand: Stand, count: int) -> Iterator[None]:
    """Hold open streams of events; each has been answered before the block begins."""
    place = httpx.URL(stand.stack.info["url"])
    head = (
        f"GET /v1/events HTTP/1.1\r\nHost: {place.host}\r\n"
        f"Authorization: Bearer {stand.stack.info['api_key']}\r\n\r\n"
    ).encode()
    peers = []
    try:
        for _ in range(count):
            peers.append(socket.create_connection((place.host, place.port), timeout=30))
            peers[-1].sendall(head)
            assert peers[-1].recv(64).startswith(b"HTTP/1.1 200"), f"stream {len(peers)}"
        yield
    finally:
        for peer in peers:
            peer.close()


def _memory(stand: Stand) -> int:
    return sum(memory_bytes(pid) for pid in tree(stand.stack.pids["api"]))


def _threads(stand: Stand) -> int:
    tasks = (Path(f"/proc/{pid}/task") for pid in tree(stand.stack.pids["api"]))
    return sum(len(list(each.iterdir())) for each in tasks)


def _write_large(stand: Stand, items: int) -> str:
    """Write a job of pictures of ten classes, of which one in a hundred failed."""
    job, chance = new_id("job"), random.Random(7)
    listed = (Item(f"{n:07d}.png", "raw", "gone", length=1, size=1) for n in range(items))
    manifest, total = f"jobs/{job}/manifest-x.parquet", items
    write_manifest(stand.storage, manifest, listed, max_items=items, max_errors=1)
    shards, failed = [], 0
    for commit, first in enumerate(range(0, items, _SHARD_ITEMS), start=1):
        rows = [_row(n, chance) for n in range(first, min(first + _SHARD_ITEMS, items))]
        name = segment_name(job, first, 1)
        write_segment(stand.storage, name, rows)
        failed += sum(row.error is not None for row in rows)
        shards.append(
            {
                "job_id": job, "first": first, "count": len(rows), "state": ShardState.DONE,
                "fence": 1, "segment": name, "commit_number": commit,
                "summary": write_summary(summarize(rows)),
            }
        )  # fmt: skip
    more = {"id": job, "total": total, "completed": total - failed, "failed": failed}
    more |= {"outcome": Outcome.PARTIAL, "commits": len(shards), "manifest": manifest}
    with stand.database.write() as session:
        session.execute(insert(Job), [_job(_tenant(stand), **more)])
        session.execute(insert(Shard), shards)
    return job


def _write_many(stand: Stand, count: int) -> None:
    tenant = _tenant(stand)
    for start in range(0, count, _AT_ONCE):
        rows = [
            _job(tenant, id=new_id("job"), total=10, completed=10, metadata_={"name": f"batch {n}"})
            for n in range(start, start + _AT_ONCE)
        ]
        with stand.database.write() as session:
            session.execute(insert(Job), rows)


def _job(tenant: str, **more: object) -> dict[str, object]:
    now = time.time()
    return {
        "tenant_id": tenant, "status": JobStatus.COMPLETED, "outcome": Outcome.SUCCEEDED,
        "requested": {"model": "digits"}, "model_name": "digits", "model_version": 1,
        "model_digest": "sha256:0", "pool": "cpu", "params": {}, "priority": "normal",
        "metadata_": {}, "created_at": now, "in_progress_at": now, "ended_at": now,
        "expires_at": now + 86_400, **more,
    }  # fmt: skip


def _tenant(stand: Stand) -> str:
    with stand.database.read() as session:
        return session.scalars(select(Tenant.id)).one()


def _row(index: int, chance: random.Random) -> Row:
    """Give a row: one of nine classes, a rare one now and then, or an error."""
    name, digest = f"{index:07d}.png", f"{index:064x}"
    if index % 100 == 50:
        error = ItemError("image_decode_failed", "The file is cut short.")
        return Row(index, name, ItemStatus.ERRORED, digest, 1, None, error)
    label = "rare" if index % 333_333 == 0 else str(index % 9)
    predictions = [{"class": label, "class_id": index % 9, "confidence": chance.random()}]
    return Row(index, name, ItemStatus.SUCCEEDED, digest, 1, to_json(predictions))
