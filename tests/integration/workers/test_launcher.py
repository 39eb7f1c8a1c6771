"""The launcher: what each slot's process sees, and that no slot stays empty."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.base.settings import load_settings
from jobs.base.states import ShardState
from jobs.queue.quarantine import Suspect
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import wait_for
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import shards_of
from workers.engine.holding.flight import FlightRecord
from workers.engine.holding.keeper import STALLED_EXIT_CODE
from workers.launcher import Launcher, Slot, command_of, has_crashed, lease_reclaimer, slots_for

# Stands in for a worker: says what it sees, and stays until it is ended.
STUB = """
import json, os, signal, sys
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[2] == "silent" and os.environ["PIXELMILL_LAST"] == "":
    from pathlib import Path
    from workers.engine.holding.flight import FlightRecord
    FlightRecord(Path(os.environ["PIXELMILL_FLIGHT"])).beat()
    # A process that is stopped dies of nothing less than SIGKILL.
    os.kill(os.getpid(), signal.SIGSTOP)
draft = f"{sys.argv[1]}/{os.getpid()}.new"
with open(draft, "w") as file:
    json.dump(dict(os.environ), file)
os.rename(draft, f"{sys.argv[1]}/{os.getpid()}.json")
if sys.argv[2] != "short":
    while True:
        signal.pause()
"""


class Seen:
    """What the processes of a launcher said."""

    def __init__(self, folder: Path, manner: str) -> None:
        self.folder, self.manner = folder, manner

    def command(self, slot: Slot) -> list[str]:
        return [sys.executable, "-c", STUB, str(self.folder), self.manner]

    def all(self) -> dict[int, dict[str, str]]:
        files = self.folder.glob("*.json")
        return {int(file.stem): json.loads(file.read_text()) for file in files}

    def wait_for(self, count: int) -> dict[int, dict[str, str]]:
        deadline = time.monotonic() + 20
        while len(seen := self.all()) < count:
            assert time.monotonic() < deadline, f"{len(seen)} processes of {count} came"
            time.sleep(0.01)
        return seen


Start = Callable[..., tuple[Launcher, threading.Thread, Seen]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Run launchers in threads, and end them."""
    running: list[tuple[Launcher, threading.Thread]] = []

    def begin(slots: list[Slot], manner: str = "long", **more: Any) -> Any:
        seen = Seen(tmp_path, manner)
        launcher = Launcher(slots, **{"grace_s": 5, **more}, command=seen.command)
        thread = threading.Thread(target=launcher.run)
        thread.start()
        running.append((launcher, thread))
        return launcher, thread, seen

    yield begin
    for launcher, thread in running:
        launcher.stop()
        thread.join(30)


def slots(tmp_path: Path, workers: int = 1, gpus: str = "", **settings: Any) -> list[Slot]:
    named = gpus.split(",") if gpus else []
    return slots_for(load_settings(**settings), workers, named, tmp_path, "host-1")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_gpu_slot_sees_its_own_gpu_and_its_share_of_the_cores(
    start: Start, tmp_path: Path
) -> None:
    _, _, seen = start(slots(tmp_path, gpus="2,5"))
    environs = seen.wait_for(2).values()
    assert {each["CUDA_VISIBLE_DEVICES"] for each in environs} == {"2", "5"}
    assert {each["PIXELMILL_POOL"] for each in environs} == {"gpu"}
    cores = str(max(1, (os.cpu_count() or 1) // 2))
    for each in environs:
        assert each["PIXELMILL_CORES"] == each["OMP_NUM_THREADS"] == cores
        assert each["PIXELMILL_NODE"].endswith(f"/gpu{each['CUDA_VISIBLE_DEVICES']}")
        assert each["PATH"] == os.environ["PATH"]
    assert len({each["PIXELMILL_FLIGHT"] for each in environs}) == 2


def test_two_processes_of_one_gpu_have_names_of_their_own(tmp_path: Path) -> None:
    made = slots(tmp_path, gpus="0,1,0")
    assert [each.environ["CUDA_VISIBLE_DEVICES"] for each in made] == ["0", "1", "0"]
    assert [each.node.rpartition("/")[2] for each in made] == ["gpu0", "gpu1", "gpu0.1"]
    assert len({each.environ["PIXELMILL_FLIGHT"] for each in made}) == 3


def test_a_cpu_slot_sees_no_gpu(start: Start, tmp_path: Path) -> None:
    _, _, seen = start(slots(tmp_path, workers=2))
    environs = list(seen.wait_for(2).values())
    assert {each["CUDA_VISIBLE_DEVICES"] for each in environs} == {""}
    assert {each["PIXELMILL_POOL"] for each in environs} == {"cpu"}
    assert len({each["PIXELMILL_NODE"] for each in environs}) == 2


@pytest.mark.parametrize(
    ("how", "last"), [(signal.SIGSEGV, "crash"), (signal.SIGABRT, "crash"), (signal.SIGKILL, "end")]
)
def test_what_dies_is_started_again_under_its_name_and_told_how_its_predecessor_ended(
    start: Start, tmp_path: Path, how: signal.Signals, last: str
) -> None:
    pids = tmp_path / "pids"
    _, _, seen = start(slots(tmp_path), pid_file=pids)
    ((first, before),) = seen.wait_for(1).items()
    assert before["PIXELMILL_LAST"] == ""
    os.kill(first, how)
    both = seen.wait_for(2)
    (second,) = set(both) - {first}
    for name in ("PIXELMILL_NODE", "PIXELMILL_FLIGHT"):
        assert both[second][name] == before[name]
    assert both[second]["PIXELMILL_LAST"] == last
    wait_for(lambda: json.loads(pids.read_text())["pids"] == {"worker-0": second}, 10, "its id")


def test_a_process_that_has_fallen_silent_is_ended_as_one_that_crashed(
    start: Start, tmp_path: Path
) -> None:
    # Ten seconds of grace less ten: whoever has beaten once is at once too late for the next.
    _, _, seen = start(slots(tmp_path), manner="silent", stall_s=-9.5)
    # The first stops itself before it has said anything.
    (successor,) = seen.wait_for(1).values()
    assert successor["PIXELMILL_LAST"] == "crash"


def test_who_is_told_of_a_death_is_told_before_the_place_is_filled_again(
    start: Start, tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []

    def bury(slot: Slot) -> None:
        told.append((slot.last, len(seen.all())))

    _, _, seen = start(slots(tmp_path), on_death=bury)
    (first,) = seen.wait_for(1)
    os.kill(first, signal.SIGSEGV)
    seen.wait_for(2)
    assert told == [("crash", 1)]


@pytest.mark.parametrize(("last", "deaths"), [("crash", [0, 1, 0]), ("end", [0])])
def test_what_a_dead_process_held_waits_for_others_at_once_and_a_crash_names_its_suspects(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tmp_path: Path,
    last: str,
    deaths: list[int],
) -> None:
    (slot,) = slots(tmp_path)
    slot.last = last
    job = submit_items(ground, tenant, digits_model, count=9)
    lease = claim_one(ground, owner=slot.node)
    record = FlightRecord(Path(slot.environ["PIXELMILL_FLIGHT"]))
    with record.flying(Suspect(lease.shard_id, 4, 1)):
        lease_reclaimer(ground.database)(slot)
    record.close()
    waiting = [each for each in shards_of(ground, job.id) if each.state is ShardState.PENDING]
    assert [shard.deaths for shard in waiting] == deaths


def test_a_death_while_the_database_is_away_ends_no_launcher(tmp_path: Path) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    (slot,) = slots(tmp_path)
    lease_reclaimer(away)(slot)
    away.close()


def test_the_time_in_which_the_whole_machine_stood_still_is_no_silence(tmp_path: Path) -> None:
    (slot,) = slots(tmp_path)
    record = FlightRecord(Path(slot.environ["PIXELMILL_FLIGHT"]))
    record.beat()
    record.close()
    launcher = Launcher([slot], grace_s=1, stall_s=50)
    later = time.monotonic() + 3600
    assert launcher._is_silent(slot, later)
    launcher._awake_since = later - 1
    assert not launcher._is_silent(slot, later)
    assert launcher._is_silent(slot, later + 100)


def test_a_process_that_never_had_a_pulse_is_left_alone(start: Start, tmp_path: Path) -> None:
    _, _, seen = start(slots(tmp_path, workers=2), stall_s=-10.0)
    before = set(seen.wait_for(2))
    time.sleep(0.5)
    assert set(seen.all()) == before


def test_a_process_that_dies_at_once_is_started_again_at_growing_distances(
    start: Start, tmp_path: Path
) -> None:
    (slot,) = slots(tmp_path)
    _, _, seen = start([slot], manner="short")
    started = time.monotonic()
    seen.wait_for(3)
    assert time.monotonic() - started > 1.4, "half a second, then a whole one"
    assert slot.wait_s >= 1


def test_a_disk_that_is_full_ends_no_launcher_and_ids_are_told_later(
    start: Start, tmp_path: Path
) -> None:
    pid_file = tmp_path / "run" / "workers.json"
    _, thread, seen = start(slots(tmp_path), pid_file=pid_file)
    (pid,) = seen.wait_for(1)
    assert thread.is_alive()
    # Where nothing could be written before.
    pid_file.parent.mkdir()
    wait_for(pid_file.exists, 10, "the ids")
    assert json.loads(pid_file.read_text()) == {"pids": {"worker-0": pid}, "at_work": []}


def test_a_worker_is_told_to_be_at_work_when_it_has_shown_a_sign_of_life(
    start: Start, tmp_path: Path
) -> None:
    pid_file, (slot,) = tmp_path / "pids", slots(tmp_path)
    _, _, seen = start([slot], pid_file=pid_file)
    (pid,) = seen.wait_for(1)

    def told() -> Any:
        return json.loads(pid_file.read_text())

    wait_for(pid_file.exists, 10, "the ids")
    assert told() == {"pids": {"worker-0": pid}, "at_work": []}
    record = FlightRecord(Path(slot.environ["PIXELMILL_FLIGHT"]))
    record.beat()
    wait_for(lambda: told()["at_work"] == ["worker-0"], 10, "the sign to be seen")
    record.close()


def test_stopping_ends_every_process(start: Start, tmp_path: Path) -> None:
    launcher, thread, seen = start(slots(tmp_path, workers=2))
    pids = list(seen.wait_for(2))
    launcher.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert not any(map(is_alive, pids))


def test_a_process_that_does_not_end_in_time_is_killed(start: Start, tmp_path: Path) -> None:
    launcher, thread, seen = start(slots(tmp_path), manner="stubborn", grace_s=0.2)
    (pid,) = seen.wait_for(1)
    launcher.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert not is_alive(pid)


def test_the_command_starts_celery_on_the_pools_queue(tmp_path: Path) -> None:
    (slot,) = slots(tmp_path, gpus="3", shards_in_flight=4)
    command = command_of(slot)
    assert command[0] == sys.executable
    options = dict(pairwise(command))
    assert options["-m"] == "celery"
    assert options["--concurrency"] == str(4 + 1 + 2), "for short shards and newcomers too"
    assert options["--queues"] == "gpu"


@pytest.mark.parametrize(
    ("code", "crashed"),
    [(0, False), (1, False), (-signal.SIGKILL, False), (-signal.SIGTERM, False),
     (STALLED_EXIT_CODE, True), (-signal.SIGSEGV, True), (-signal.SIGABRT, True),
     (-signal.SIGBUS, True)],
)  # fmt: skip
def test_a_signal_that_nobody_sends_and_a_stall_are_crashes(code: int, crashed: bool) -> None:
    assert has_crashed(code) is crashed
