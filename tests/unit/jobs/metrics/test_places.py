"""Processes that record into one folder: each at a place of its own, and no counter ever falls."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from jobs.metrics.places import VARIABLE
from jobs.metrics.rendering import render

# Counts, says so, and lives until its input ends.
RECORDER = """
import sys
from jobs.metrics import metrics
metrics.LEASES_LOST.inc(int(sys.argv[1]))
metrics.DECODERS.labels("pictures").inc()
print("recorded", flush=True)
sys.stdin.read()
"""


class Recorder:
    def __init__(self, folder: Path, count: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(count)],
            env={**os.environ, VARIABLE: str(folder)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "recorded\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def value(folder: Path, name: str) -> float:
    families = text_string_to_metric_families(render(folder=str(folder)).decode())
    return sum(s.value for family in families for s in family.samples if s.name == name)


def test_what_several_processes_count_is_added_up_and_survives_their_deaths(
    tmp_path: Path,
) -> None:
    recorders = [Recorder(tmp_path, 1), Recorder(tmp_path, 10)]
    assert value(tmp_path, "pixelmill_leases_lost_total") == 11
    recorders[0].kill()
    assert value(tmp_path, "pixelmill_leases_lost_total") == 11
    # Its successor takes the place that is free, and goes on from there.
    successor = Recorder(tmp_path, 100)
    assert value(tmp_path, "pixelmill_leases_lost_total") == 111
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    for each in (recorders[1], successor):
        each.kill()


def test_what_a_dead_process_measured_goes_when_another_takes_its_place(tmp_path: Path) -> None:
    first = Recorder(tmp_path, 1)
    first.kill()
    second = Recorder(tmp_path, 1)
    assert value(tmp_path, "pixelmill_decoder_processes") == 1
    second.kill()
