"""A network that does nothing: how many tiny items a second pass through claim, read and commit."""

import zipfile
from pathlib import Path

import numpy as np

from benchmarks.figures import Verdict
from benchmarks.networks import NOTHING, TINY, register_nothing
from benchmarks.report import Row
from benchmarks.stand import standing
from models.pictures.data import encode

_LEAST_RATE = 20_000.0
_WARM_UP = 2000


def measure(quick: bool) -> Row:
    """Run 100,000 pictures of a few pixels, after some that nobody counts."""
    count = 20_000 if quick else 100_000
    with standing(PIXELMILL_EXTENSIONS="benchmarks.networks", PYTHONPATH=str(Path.cwd())) as stand:
        register_nothing(stand.database, stand.storage)
        few = _written(stand.folder / "few.zip", _WARM_UP)
        many = _written(stand.folder / "many.zip", count)
        for archive in (few, many):
            job = stand.client.wait(stand.client.submit(archive, model=NOTHING)).check()
        row = stand.job(job.id)
    assert row.in_progress_at is not None and row.ended_at is not None  # noqa: PT018  # both times
    rate = count / (row.ended_at - row.in_progress_at)
    figures = {"items/s": rate, "prepared in, s": row.in_progress_at - row.created_at}
    wanted = f"{rate:,.0f} items/s through claim, read, commit >= {_LEAST_RATE:,.0f}"
    title = f"{count:,} tiny items, a network that does nothing"
    return Row(title, [Verdict(wanted, rate >= _LEAST_RATE)], figures=figures)


def _written(path: Path, count: int) -> Path:
    picture = encode(np.zeros((TINY, TINY), np.uint8), ".png")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:06d}.png", picture)
    return path
