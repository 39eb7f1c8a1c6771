"""Which threads of a worker go first, and how many there are."""

import os
import sys
import threading
from pathlib import Path

import pytest

from jobs.base.settings import load_settings
from workers.process import Process, this_process


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no priority of their own"
)
def test_a_thread_that_steps_back_goes_behind_the_others_and_changes_nothing_for_them(
    tmp_path: Path,
) -> None:
    process = Process(
        "node-1", "cpu", cores=1, decode_threads=2, lanes=1, flight=tmp_path / "flight"
    )
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs: list[int] = []

    def decode() -> None:
        process.step_back()
        theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=decode)
    thread.start()
    thread.join()
    assert theirs == [min(mine + 5, 19)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


@pytest.mark.parametrize(
    ("pool", "cores", "set_to", "lanes", "heavy_cores"),
    [
        ("cpu", "1", 0, 1, 1),
        ("cpu", "4", 0, 4, 4),
        ("cpu", "64", 0, 16, 64),
        ("cpu", "4", 1, 1, 4),
        ("gpu", "8", 0, 2, 1),
        ("gpu", "8", 3, 3, 1),
    ],
)
def test_a_cpu_has_a_lane_a_core_and_a_gpu_two_unless_they_are_set(
    tmp_path: Path, pool: str, cores: str, set_to: int, lanes: int, heavy_cores: int
) -> None:
    environ = {
        "PIXELMILL_POOL": pool,
        "PIXELMILL_CORES": cores,
        "PIXELMILL_FLIGHT": str(tmp_path / "flight"),
    }
    process = this_process(load_settings(lanes=set_to), environ)
    assert (process.lanes, process.heavy_cores) == (lanes, heavy_cores)
