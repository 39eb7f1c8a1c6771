"""A long video whose worker dies in the middle: gone on with, and the same in the end."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.catalog import SHIPPED, shipped_weights
from models.pictures.data import heldout_digits
from models.runtime.weights import digest
from pixelmill import Job
from tests.e2e.stacks import results_of, wait_for
from tests.faults.conftest import Report
from tests.faults.rig.houses import House, open_house
from tests.faults.rig.video_networks import RECORD
from tests.receivers import Receiver
from tests.videos import jpeg, movie

MINUTES = 10
FPS = 5
WINDOWS = MINUTES * 60 * FPS // 10


@pytest.fixture(scope="module")
def house(receiver: Receiver) -> Iterator[House]:
    """A house with a network for videos, and checkpoints every second."""
    from jobs.versions.registry import register

    extensions = "tests.faults.rig.networks,tests.faults.rig.video_networks"
    environ = {"PIXELMILL_EXTENSIONS": extensions, "PIXELMILL_CHECKPOINT_S": "1"}
    with open_house(receiver, **environ) as opened:
        weights = shipped_weights("digits").read_bytes()
        record = SHIPPED["digits"].to_json() | RECORD
        ground = opened.ground
        register(ground.database, ground.storage, "recalling", record, weights, digest(weights))
        yield opened


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes of digits, each shown for four seconds."""
    pictures = [jpeg(picture) for picture in heldout_digits()[0][:150]]
    frames = [pictures[number // 20 % len(pictures)] for number in range(MINUTES * 60 * FPS)]
    path = tmp_path_factory.mktemp("clip") / "ten-minutes.mov"
    path.write_bytes(movie(frames, 1000 // FPS, width=28, height=28))
    return path


def steps(house: House) -> int:
    path = house.stack.data.parent / "steps"
    return path.stat().st_size if path.exists() else 0


def submit(house: House, clip: Path) -> Job:
    with house.client() as client:
        return client.submit(clip, model="recalling")


def predictions(house: House, job: Job) -> dict:
    with house.client() as client:
        done = client.wait(job, timeout=180)
        assert done.succeeded, done.raw
        (row,) = results_of(client, job.id)
    assert row["warnings"] == []
    (prediction,) = row["predictions"]
    return prediction


def test_a_killed_workers_video_is_gone_on_with_and_ends_the_same(
    house: House, clip: Path, choose, report: Report
) -> None:
    before = steps(house)
    quiet = predictions(house, submit(house, clip))
    assert steps(house) - before == WINDOWS
    assert len(quiet["clips"]) == WINDOWS

    before = steps(house)
    job = submit(house, clip)
    share = choose.uniform(0.4, 0.6)
    wait_for(lambda: steps(house) - before > share * WINDOWS, 120, f"{share:.0%} of the video")
    (held,) = house.leased(job)
    victim = f"worker-{held.owner[-1]}"
    started = time.monotonic()
    house.kill(victim)
    recovery_s = house.await_takeover([held])
    disturbed = predictions(house, job)
    repeated = steps(house) - before - WINDOWS
    print(f"\n{repeated} of {WINDOWS} windows twice, {time.monotonic() - started:.0f} s to the end")
    assert disturbed == quiet
    assert 0 <= repeated <= 0.2 * WINDOWS
    assert list(house.ground.storage.list(f"jobs/{job.id}/checkpoints")) == []
    report("SIGKILL in the middle of a ten-minute video", 1, recovery_s)
