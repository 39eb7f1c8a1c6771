"""The harness measures what it says: turns, labels, ratios, the use of a process tree."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.contest import OURS, RAW, Contestant, Turns, hold
from benchmarks.contestants import raw
from benchmarks.figures import Verdict
from benchmarks.freezing import freeze, thaw
from benchmarks.report import Row, write
from benchmarks.usage import cpu_seconds, memory_bytes, tree
from benchmarks.works import Work, digits
from benchmarks.yardstick import parity_of
from models.runtime.network import Network
from tests.e2e.stacks import wait_for

PLAN = {"decoders": 2, "cores": 1, "batch": 16}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.works.BUILD", tmp_path_factory.mktemp("build"))
        return digits(100)


def test_the_bare_loop_gives_every_picture_the_class_that_the_network_gives_it(work: Work) -> None:
    network, items = work.load(), work.items()
    assert isinstance(network, Network)
    outputs = network.forward([network.prepare(item) for item in items])
    assert raw.run(network, items, raw.Plan(**PLAN)) == outputs.argmax(1).tolist()


def test_a_round_gives_rate_use_and_labels_of_every_turn(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr("benchmarks.contest.BUILD", tmp_path)
    bare = Contestant(RAW, "raw", turns={"": PLAN, ", again": PLAN})
    table = hold(work, [bare], rounds=2)
    assert list(table) == [RAW, f"{RAW}, again"]
    for turns in table.values():
        assert turns.start_s > 0
        assert len(turns.images_per_s) == 2
        assert all(rate > 0 for rate in turns.images_per_s)
        assert all(used > 0 for used in turns.cpu_s_per_image)
        assert all(peak > 50 * 1024**2 for peak in turns.peak_bytes)
        assert turns.other_labels == [0, 0]


def test_labels_that_differ_fail_parity_however_fast_the_turn_was() -> None:
    same, other = Turns(other_labels=[0, 0]), Turns(other_labels=[0, 3])
    table = {RAW: same, OURS: same, "Mosec": other}
    assert [verdict.holds for verdict in parity_of(table)] == [True, False]


def test_a_ratio_is_taken_within_its_round() -> None:
    ours, bare = Turns(images_per_s=[90, 9, 180]), Turns(images_per_s=[100, 10, 200])
    assert ours.ratio_to(bare) == pytest.approx(0.9)


def test_the_report_holds_verdicts_figures_and_a_plot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.report.BUILD", tmp_path)
    turns = Turns([100.0, 120.0], [0.01, 0.02], [2**20, 2**20], 1.5, [0, 0])
    table = {RAW: turns, OURS: turns, "A & B": turns}
    row = Row("photos", [Verdict("fast", False)], turns=table)
    plain, markdown, plot = write([row], "bench")
    assert json.loads(plain.read_text())["rows"][0]["turns"]["raw"]["images_per_s"] == [100, 120]
    assert "- FAILS: fast" in markdown.read_text()
    assert "| Pixelmill | 110 (100 to 120) | 1.00" in markdown.read_text()
    assert "A &amp; B" in plot.read_text()


def test_the_use_of_a_process_is_that_of_its_whole_tree() -> None:
    inner = (
        "import time; t = time.process_time()\nwhile time.process_time() < t + 0.3: pass\nprint()"
    )
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}]); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 20
        while cpu_seconds(process.pid) < 0.3:
            assert time.monotonic() < deadline, "the child's time was not counted"
        assert process.pid in tree(process.pid)
        assert memory_bytes(process.pid) > 2**20
    finally:
        process.communicate(b"\n")
    assert memory_bytes(process.pid) == 0


def test_a_tree_that_is_frozen_does_nothing_until_it_is_thawed() -> None:
    inner = "while True: print(flush=True)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        freeze(process.pid)
        wait_for(lambda: {state(pid) for pid in tree(process.pid)} == {"T"}, 20, "all to stop")
        used = cpu_seconds(process.pid)
        thaw(process.pid)
        assert not {state(pid) for pid in tree(process.pid)} & {"T"}
        # Read on, or it waits for the pipe.
        while cpu_seconds(process.pid) == used:
            process.stdout.readline()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
