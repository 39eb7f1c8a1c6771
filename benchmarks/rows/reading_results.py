"""Reading the results of a job of 1,000,000 items: the first page, any page, and the whole stream.

The job is written straight into store and database, as commits would have left it: what is measured
is the reading.
"""

import random
import time
from collections.abc import Iterator

import httpx
from sqlalchemy import insert, select

from benchmarks.figures import Verdict
from benchmarks.report import Row as ReportRow
from benchmarks.stand import Stand, standing
from jobs.base.states import ItemStatus, JobStatus, Outcome, ShardState
from jobs.base.storage import segment_name
from jobs.results.segments import Row, to_json, write_segment
from jobs.tables import Job, Shard, Tenant

_MIB = 1024**2
_JOB = "job_reading"
_FIRST_MS, _ANY_MS, _LEAST_RATE, _MOST_GROWTH_MIB = 50.0, 100.0, 50_000.0, 50.0
_SHARD_ITEMS = 6000
_TRIES, _WARM_UP = 30, 3


def measure(quick: bool) -> ReportRow:
    """Read pages here and there, then the whole job as NDJSON."""
    items = 100_000 if quick else 1_000_000
    with standing() as stand:
        _write_job(stand, items)
        with httpx.Client(
            base_url=stand.stack.info["url"],
            headers={
                "Authorization": f"Bearer {stand.stack.info['api_key']}",
                # What is counted are lines as they come, which httpx would ask to have compressed.
                "Accept-Encoding": "identity",
            },
            timeout=120,
            trust_env=False,
        ) as caller:
            places = ["", *_cursors(items)]
            for place in places[:_WARM_UP]:
                _page_ms(caller, place)
            first = min(_page_ms(caller, "") for _ in range(3))
            pages = [_page_ms(caller, place) for place in places]
            before = stand.peak_bytes("api")
            rate = _stream(caller, items)
            growth = (stand.peak_bytes("api") - before) / _MIB
    worst = max(pages)
    verdicts = [
        Verdict(f"first page {first:.0f} ms <= {_FIRST_MS:.0f} ms", first <= _FIRST_MS),
        Verdict(f"any page, the slowest of {len(pages)}: {worst:.0f} ms <= {_ANY_MS:.0f} ms",
                worst <= _ANY_MS),
        Verdict(f"NDJSON {rate:,.0f} rows/s >= {_LEAST_RATE:,.0f}", rate >= _LEAST_RATE),
        Verdict(f"the API's memory grew by {growth:.0f} MiB <= {_MOST_GROWTH_MIB:.0f} MiB",
                growth <= _MOST_GROWTH_MIB),
    ]  # fmt: skip
    figures = {"first page, ms": first, "slowest page, ms": worst, "NDJSON rows/s": rate}
    return ReportRow(f"The results of {items:,} items", verdicts, figures=figures)


def _cursors(items: int) -> Iterator[str]:
    """Give places all over the job."""
    shards = -(-items // _SHARD_ITEMS)
    chance = random.Random(7)
    for _ in range(_TRIES):
        yield f"{chance.randint(1, shards)}.{chance.randrange(_SHARD_ITEMS)}"


def _page_ms(caller: httpx.Client, after: str) -> float:
    start = time.perf_counter()
    params = {"after": after} if after else {}
    caller.get(f"/v1/jobs/{_JOB}/results", params=params).raise_for_status()
    return (time.perf_counter() - start) * 1e3


def _stream(caller: httpx.Client, items: int) -> float:
    """Read everything as NDJSON; gives the rows a second."""
    start, lines = time.perf_counter(), 0
    with caller.stream("GET", f"/v1/jobs/{_JOB}/results", params={"format": "ndjson"}) as answer:
        for block in answer.raise_for_status().iter_raw():
            lines += block.count(b"\n")
    assert lines == items, f"{lines} lines of {items}"
    return lines / (time.perf_counter() - start)


def _write_job(stand: Stand, items: int) -> None:
    shards = []
    for commit, first in enumerate(range(0, items, _SHARD_ITEMS), start=1):
        count = min(_SHARD_ITEMS, items - first)
        name = segment_name(_JOB, first, 1)
        write_segment(stand.storage, name, [_row(first + position) for position in range(count)])
        shards.append(
            {
                "job_id": _JOB, "first": first, "count": count, "state": ShardState.DONE,
                "fence": 1, "segment": name, "commit_number": commit,
            }
        )  # fmt: skip
    now = stand.database.now()
    with stand.database.write() as session:
        session.add(
            Job(
                id=_JOB, tenant_id=_tenant(stand), status=JobStatus.COMPLETED,
                outcome=Outcome.SUCCEEDED, requested={"model": "digits"}, model_name="digits",
                model_version=1, model_digest="sha256:0", pool="cpu", params={},
                priority="normal", metadata_={}, total=items, completed=items,
                commits=len(shards), created_at=now, in_progress_at=now, ended_at=now,
                expires_at=now + 86_400,
            )
        )  # fmt: skip
        session.flush()
        session.execute(insert(Shard), shards)


def _tenant(stand: Stand) -> str:
    with stand.database.read() as session:
        return session.scalars(select(Tenant.id)).one()


def _row(index: int) -> Row:
    """Give a row as `digits` leaves one: a class with its confidence."""
    predictions = [{"class": "7", "class_id": 7, "confidence": 0.9876543210123}]
    digest = f"{index:064x}"
    return Row(index, f"{index:07d}.png", ItemStatus.SUCCEEDED, digest, 1, to_json(predictions))
