"""A manifest of 1,000,000 lines: how long until it is prepared, what memory and rows it costs.

The lines name URLs, as such manifests do; nothing is fetched, for the job is cancelled as soon as
it is prepared.
"""

import json
import time
from pathlib import Path

from benchmarks.figures import Verdict
from benchmarks.report import Row
from benchmarks.stand import Stand, standing
from tests.e2e.stacks import wait_for

_MIB = 1024**2
_MOST_S, _MOST_GROWTH_MIB, _ITEMS_A_ROW = 60.0, 150.0, 200
# What a first job loads once and for all must not count as growth.
_WARM_UP_LINES = 1000


def measure(quick: bool) -> Row:
    """Upload the manifest, submit it, wait until it is cut."""
    lines = 100_000 if quick else 1_000_000
    with standing() as stand:
        _prepared(stand, _written(stand.folder / "few.jsonl", _WARM_UP_LINES))
        path = _written(stand.folder / "many.jsonl", lines)
        before = {role: stand.peak_bytes(role) for role in ("api", "io")}
        rows_before, start = stand.rows(), time.perf_counter()
        accepted_s = _prepared(stand, path)
        seconds = time.perf_counter() - start
        rows = stand.rows() - rows_before
        growth = {role: (stand.peak_bytes(role) - before[role]) / _MIB for role in before}
    worst = max(growth.values())
    verdicts = [
        Verdict(f"accepted and prepared in {seconds:.1f} s <= {_MOST_S:.0f} s", seconds <= _MOST_S),
        Verdict(f"memory grew by {worst:.0f} MiB <= {_MOST_GROWTH_MIB:.0f} MiB",
                worst <= _MOST_GROWTH_MIB),
        Verdict(f"{rows} rows in the database <= 1 for {_ITEMS_A_ROW} items",
                rows <= lines / _ITEMS_A_ROW),
    ]  # fmt: skip
    figures = {"accepted, s": accepted_s, "prepared, s": seconds, "growth, MiB": growth}
    return Row(f"A manifest of {lines:,} lines", verdicts, figures=figures)


def _written(path: Path, lines: int) -> Path:
    with path.open("w") as file:
        for number in range(lines):
            url = f"http://images.example/{number % 1000:03d}/{number:08d}.jpg"
            line = {"custom_id": f"image-{number:08d}", "input": {"url": url}}
            file.write(json.dumps(line) + "\n")
    return path


def _prepared(stand: Stand, path: Path) -> float:
    """Submit a manifest and wait until it is cut; gives the seconds until it was accepted."""
    start = time.perf_counter()
    job = stand.client.submit(path, model="digits")
    accepted_s = time.perf_counter() - start
    wait_for(lambda: stand.job(job.id).in_progress_at, 300, "the manifest to be prepared")
    stand.client.cancel(job)
    return accepted_s
