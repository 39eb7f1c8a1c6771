"""Whether a worker's memory depends on how long a video is: a minute, then an hour.

Videos (160 x 120, 25 frames a second, all of which are looked at) go each through a whole engine of
its own process, from the store to the committed segment, on the architecture of `motion`. Memory
does not ask what the weights are: they are untrained.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from safetensors.torch import save

from benchmarks.figures import Verdict
from benchmarks.report import Row
from jobs.base.bootstrap import Ground, open_ground
from jobs.base.settings import load_settings
from jobs.inputs.items import Upload
from jobs.intake.submission import Submission, submit
from jobs.tables import Job
from jobs.tenants.keys import create_key
from jobs.versions.registry import register
from migrations.upgrade import upgrade
from models.catalog import check_params
from models.records.record import Limits, ModelRecord
from models.runtime.torch_runtime import build
from models.runtime.weights import digest
from workers.egress import Egress, EgressPolicy
from workers.engine.engine import Engine
from workers.launcher import COMPUTING
from workers.process import Process

_MINUTES, _QUICK_MINUTES = (1.0, 60.0), (1.0, 10.0)
FPS = 25
WIDTH, HEIGHT = 160, 120
_MOST_GROWTH = 0.10

RECORD = ModelRecord(
    name="watched",
    task="video-classification",
    architecture="motion",
    labels=tuple(str(number) for number in range(40)),
    preprocess={
        "resize": [64, 64],
        "crop": [64, 64],
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
        "fps": FPS,
        "window": 16,
        "windows": [1, 512],
        "carries": True,
    },
    input_kind="video",
    max_batch=4,
    shard_items=1,
    limits=Limits(max_bytes=4 * 1024**3),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one video took; `peak_mib` is the most memory while it ran."""

    minutes: float
    seconds: float
    peak_mib: float


def measure(quick: bool) -> Row:
    """Run a short and a long video, each in a process of its own."""
    short, long = [run_apart(minutes) for minutes in (_QUICK_MINUTES if quick else _MINUTES)]
    growth = long.peak_mib / short.peak_mib - 1
    wanted = (
        f"{short.minutes:g} -> {long.minutes:g} minutes: {short.peak_mib:.0f} -> "
        f"{long.peak_mib:.0f} MiB, {growth:+.1%} <= {_MOST_GROWTH:.0%}"
    )
    figures = {"minutes of video a second": long.minutes / long.seconds}
    return Row("Long videos", [Verdict(wanted, growth <= _MOST_GROWTH)], figures=figures)


def write_video(path: Path, minutes: float) -> None:
    """Write a square that wanders over noise."""
    ground = np.random.default_rng(1).integers(0, 90, (HEIGHT, WIDTH, 3), np.uint8)
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, FPS, (WIDTH, HEIGHT))
    for number in range(round(minutes * 60 * FPS)):
        frame = ground.copy()
        left, top = number % (WIDTH - 30), number // 3 % (HEIGHT - 30)
        frame[top : top + 30, left : left + 30] = 255
        writer.write(frame)
    writer.release()


def run_one(folder: Path, minutes: float) -> Run:
    """Run one video of so many minutes through an engine in this process."""
    path = folder / "video.mp4"
    settings = load_settings(
        database_url=f"sqlite:///{folder / 'pixelmill.db'}",
        storage_url=(folder / "blobs").as_uri(),
        redis_url="unix:///nobody/listens",
    )
    ground = open_ground(settings)
    upgrade(ground.database)
    _submit(ground, path)
    process = Process("node", "cpu", cores=1, decode_threads=1, lanes=1, flight=folder / "flight")
    egress = Egress(EgressPolicy())
    engine = Engine(ground, process, egress)
    _reset_peak()
    started = time.monotonic()
    assert engine.drain() == 1
    seconds = time.monotonic() - started
    peak_mib = _peak_mib()
    engine.close()
    egress.close()
    with ground.database.read() as session:
        assert session.query(Job).one().completed == 1
    ground.close()
    return Run(minutes, seconds, peak_mib)


def _reset_peak() -> None:
    """Let the kernel count the peak of this process's memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _submit(ground: Ground, path: Path) -> None:
    weights = save(build(RECORD).state_dict())
    version = register(
        ground.database, ground.storage, RECORD.name, RECORD.to_json(), weights, digest(weights)
    )
    params = check_params(RECORD.task, {})
    with path.open("rb") as stream:
        uploads = (Upload("video.mp4", stream),)
        key = create_key(ground.database, "benchmark")
        asked = {"model": RECORD.name, "params": {}}
        submit(
            ground,
            Submission(key.tenant_id, version, params, asked, "cpu", uploads=uploads),
        )


def run_apart(minutes: float) -> Run:
    """Run one video in a fresh process, whose memory is then its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "video.mp4", minutes)
        command = [sys.executable, "-m", "benchmarks.rows.media.videos", "--folder", folder]
        done = subprocess.run(  # noqa: S603  # this very file
            [*command, "--minutes", str(minutes)],
            env={**os.environ, **COMPUTING},
            check=True,
            capture_output=True,
            text=True,
        )
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the one video that lies in a folder, in this process."""
    parser = argparse.ArgumentParser(prog="benchmarks.rows.media.videos")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    given = parser.parse_args()
    print(json.dumps(asdict(run_one(given.folder, given.minutes))))


if __name__ == "__main__":
    main()
