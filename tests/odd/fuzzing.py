"""Mutated pictures, films and archives through real jobs: one row for each, and nothing left."""

import itertools
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelmill import Client, Job
from tests.e2e.stacks import RunningStack, results_of, wait_for
from tests.odd.leftovers import left_over, traces
from tests.odd.moving.film_table import FILMS
from tests.odd.moving.films import make_masters
from tests.odd.mutations import mutations
from tests.odd.packed.archives import FAMILIES as ARCHIVE_FAMILIES
from tests.odd.packed.archives import archives_of
from tests.odd.still.pictures import FAMILIES, pictures_of
from tests.odd.still.pngs import png
from tests.odd.still.scene import SCENE

WAIT_S = 600
_SETTLED_S = 90
# Errors that say that we broke, not the item.
_OURS = ("internal_error", "worker_crashed")
# Films that are quickly made, of every container and most codecs.
_SOURCES = (
    "h264-b.mp4", "h264-b.mkv", "h264-b.ts", "h264-fragments.mp4", "mpeg2.mpg", "mpeg4.avi",
    "vp8.webm", "vp9.webm", "mjpeg.mov", "huffyuv.avi", "prores.mov", "hevc.mp4", "h264.flv",
    "interlaced-h264-top.mp4", "interlaced-mpeg2.mpg",
)  # fmt: skip


@dataclass
class Tally:
    """What came of a run: outcomes by their code, and faults, of which there should be none."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def fuzz_pictures(stack: RunningStack, room: Path, count: int, seed: int, tally: Tally) -> None:
    """Send mutated pictures in zips."""
    sources = [odd.data for family in FAMILIES for odd in pictures_of(family) if odd.data]
    _send_batches(stack, room, mutations(sources, count, seed), "digits", 250, tally)


def fuzz_films(stack: RunningStack, room: Path, count: int, seed: int, tally: Tally) -> None:
    """Send mutated films in zips."""
    folder = room / "films"
    folder.mkdir()
    make_masters(folder)
    sources = []
    for name in _SOURCES:
        path = folder / name
        FILMS[name].make(folder, path)
        sources.append(path.read_bytes())
    _send_batches(stack, room, mutations(sources, count, seed), "motion", 50, tally)


def fuzz_archives(stack: RunningStack, room: Path, count: int, seed: int, tally: Tally) -> None:
    """Send mutated archives, each a job of its own."""
    sources = [odd.data for family in ARCHIVE_FAMILIES for odd in archives_of(family)]
    path = room / "mutated"
    with stack.client() as client:
        for number, data in enumerate(mutations(sources, count, seed)):
            path.write_bytes(data)
            with path.open("rb") as file:
                upload = client.upload(file, f"{number}.bin")
            job = client.wait(
                client.submit(upload, model="digits", delete_inputs=True), timeout=WAIT_S
            )
            _check_archive(client, job, number, tally)
            _clear(client, job)


def settled(stack: RunningStack, temporary: Path, before: Any) -> list[str]:
    """Wait until nothing is left; gives what is left all the same."""
    try:
        wait_for(lambda: not left_over(before, traces(stack, temporary)), _SETTLED_S, "tidiness")
    except AssertionError:
        return left_over(before, traces(stack, temporary))
    return []


def warm_up(stack: RunningStack, room: Path) -> None:
    """Have every network loaded and every kind of decoder process made."""
    (room / "warm.png").write_bytes(png(SCENE, "rgb"))
    for name, model in (("warm.png", "digits"), ("warm.png", "motion")):
        with stack.client() as client:
            job = client.wait(
                client.submit(room / name, model=model, delete_inputs=True), timeout=WAIT_S
            )
            _clear(client, job)


def _send_batches(
    stack: RunningStack, room: Path, items: Iterator[bytes], model: str, size: int, tally: Tally
) -> None:
    with stack.client() as client:
        for number, batch in enumerate(_batched(items, size)):
            path = room / f"batch-{number}.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for place, data in enumerate(batch):
                    archive.writestr(f"{place}.bin", data)
            job = client.wait(client.submit(path, model=model, delete_inputs=True), timeout=WAIT_S)
            path.unlink()
            _check_rows(results_of(client, job.id), len(batch), f"batch {number}", tally)
            _clear(client, job)


def _batched(items: Iterator[bytes], size: int) -> Iterable[Sequence[bytes]]:
    return iter(lambda: list(itertools.islice(items, size)), [])


def _check_rows(rows: Sequence[dict[str, Any]], count: int, name: str, tally: Tally) -> None:
    if [row["index"] for row in rows] != list(range(count)):
        tally.faults.append(f"{name}: {len(rows)} rows for {count} items")
    for row in rows:
        error = row["error"]
        code = row["status"] if error is None else error["code"]
        tally.outcomes[code] += 1
        if row["status"] not in ("succeeded", "errored") or code in _OURS:
            tally.faults.append(f"{name}, item {row['index']}: {row['status']} {error}")
        elif error is not None and not error["message"].endswith("."):
            tally.faults.append(f"{name}, item {row['index']}: no sentence: {error['message']}")


def _check_archive(client: Client, job: Job, number: int, tally: Tally) -> None:
    if job.status == "failed":
        faults = job.raw["errors"]["data"]
        tally.outcomes[f"refused: {faults[0]['code']}"] += 1
        if faults[0]["code"] in _OURS or not faults[0]["message"].endswith("."):
            tally.faults.append(f"archive {number}: {faults[0]}")
    elif job.status == "completed":
        rows = results_of(client, job.id)
        _check_rows(rows, job.raw["request_counts"]["total"], f"archive {number}", tally)
    else:
        tally.faults.append(f"archive {number}: its job is {job.status}")


def _clear(client: Client, job: Job) -> None:
    client.delete(job)
