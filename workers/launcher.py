"""Starts one worker process for each device, and again whenever one dies.

    python -m workers.launcher --workers 2        two processes on the CPU
    python -m workers.launcher --gpus 0,1         one process for each of these GPUs (0,0: two)
    python -m workers.launcher --io               one io process, in place of the launcher
    python -m workers.launcher --beat             the beat, in place of the launcher

What a process may see and use is in its environment before its interpreter starts, because CUDA and
OpenMP read it once: it sees one GPU, and knows how many cores are its own.
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.base.database import Database
from jobs.base.hints import CPU, GPU, IO
from jobs.base.logs import configure_logs
from jobs.base.private_files import keep_files_private
from jobs.base.settings import Settings, load_settings_or_exit
from jobs.metrics import metrics
from jobs.metrics.places import VARIABLE
from workers.engine.holding.aftermath import reclaim_leases_of_dead_process
from workers.engine.holding.flight import read_beat, read_suspects
from workers.engine.holding.keeper import STALLED_EXIT_CODE
from workers.engine.holding.places import places
from workers.figures_server import FiguresServer
from workers.names import held_name

log = structlog.get_logger(__name__)

_LOOK_S = 0.2
# A process that lived so long is started again at once; one that dies sooner has to wait.
_LONG_LIFE_S = 10.0
# Shorter than a lease by far: the next process takes back what the launcher could not.
_LONGEST_WAIT_S = 5.0
# A process that has stalled ends itself (workers.engine.holding.keeper); one that cannot is
# ended here.
_SILENCE_S = 10.0
# A look that comes so late comes from a machine that stood still.
_ASLEEP_S = 2.0
_IO_THREADS = 8
# The folder that the processes of a launcher keep their figures in.
_FIGURES = "figures"
# Celery warns superusers of pickled messages, and ours are JSON (jobs.base.hints).
_QUIET = "ignore:You're running the worker with superuser privileges"

# How a process that infers computes; the C library and OpenMP read it once.
COMPUTING = {
    # Cores that wait for each other sleep: turning in circles they take time from decoding.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Memory of a batch is kept for the next, in bytes: given back, each page of it costs a fault
    # again, a fifth of MobileNetV3-small's time.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
    # One place for all threads: in those that the C library makes for each, a feature map of more
    # than 64 MB does not fit, and is mapped and given back with every layer. And in large pages.
    "MALLOC_ARENA_MAX": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    # Tables lie there too: Arrow's own pool would keep what a large job's manifest once took.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


@dataclass(slots=True)
class Slot:
    """A place for one process, which keeps its name whoever fills it."""

    pool: str
    node: str
    environ: dict[str, str]
    threads: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait_s: float = 0.0
    due_at: float = field(default=0.0)
    last: str = ""
    was_silent: bool = False

    def is_at_work(self) -> bool:
        """Say whether the process has shown a sign of life; those of an earlier one do not count.

        It does once it can run shards (workers.engine.holding.keeper).
        """
        return self.started_at < read_beat(Path(self.environ["PIXELMILL_FLIGHT"]))


def slots_for(
    settings: Settings, workers: int, gpus: list[str], folder: Path, launcher: str
) -> list[Slot]:
    """Lay out the places of a machine: a GPU each, else a share of the cores each.

    A GPU that is named twice has two processes. `folder` is where the flight records lie, and
    `launcher` the launcher's name (workers.names).
    """
    pool, count = (GPU, len(gpus)) if gpus else (CPU, workers)
    cores = str(max(1, (os.cpu_count() or 1) // count))
    slots = []
    for number in range(count):
        visible = gpus[number] if gpus else ""
        environ = {
            **COMPUTING,
            "CUDA_VISIBLE_DEVICES": visible,
            "PIXELMILL_CORES": cores,
            "OMP_NUM_THREADS": cores,
            "PIXELMILL_FLIGHT": str(folder / str(number)),
        }
        if settings.worker_metrics:
            environ[VARIABLE] = str(folder / _FIGURES)
        threads = places(settings.shards_in_flight)
        earlier = gpus[:number].count(visible)
        place = f"{pool}{visible or number}" + (f".{earlier}" if earlier else "")
        slots.append(slot_of(pool, f"{launcher}/{place}", threads, environ))
    return slots


def slot_of(pool: str, node: str, threads: int, environ: dict[str, str]) -> Slot:
    """Make a slot, whose name is the same after a restart."""
    named = {**environ, "PIXELMILL_POOL": pool, "PIXELMILL_NODE": node}
    return Slot(pool, node, named, threads)


def command_of(slot: Slot) -> list[str]:
    """Give the command line of a slot's process; its threads are workers.pool's."""
    return [
        sys.executable, "-W", _QUIET, "-m", "celery", "--quiet", "-A", "workers.main", "worker",
        "--concurrency", str(slot.threads), "--queues", slot.pool,
        "--hostname", slot.node.replace("/", "-") + "@%h", "--loglevel", "WARNING",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def has_crashed(code: int) -> bool:
    """Say whether a process died of what it was doing, so that its flight record names suspects.

    It did by a signal that nobody else sends (SIGKILL comes from an operator or the kernel, SIGTERM
    from a supervisor), and by giving itself up because nothing moved.
    """
    by_signal = code < 0 and -code not in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    return by_signal or code == STALLED_EXIT_CODE


class Launcher:
    """Keeps every slot filled until it is told to stop."""

    def __init__(
        self,
        slots: list[Slot],
        grace_s: float,
        pid_file: Path | None = None,
        command: Callable[[Slot], list[str]] = command_of,
        stall_s: float = 120.0,
        on_death: Callable[[Slot], object] = lambda _: None,
    ) -> None:
        self._slots, self._grace_s, self._pid_file = slots, grace_s, pid_file
        self._silence_s, self._on_death = stall_s + _SILENCE_S, on_death
        self._awake_since = 0.0
        self._told: Mapping[str, object] = {}
        self._command = command
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Ask every process to finish; `run` returns when they have."""
        self._stopping = True

    def run(self) -> None:
        """Fill the slots, refill those whose process dies, and end them all at the end."""
        while not self._stopping:
            for slot in self._slots:
                self._look_after(slot)
            self._tell_pids()
            before = time.monotonic()
            time.sleep(_LOOK_S)
            if time.monotonic() - before > _ASLEEP_S:
                # The whole machine stood still, the workers too: they are given time to speak.
                self._awake_since = time.monotonic()
        self._end_all()

    def _look_after(self, slot: Slot) -> None:
        now = time.monotonic()
        if slot.process is not None and self._is_silent(slot, now):
            log.error("worker_silent", node=slot.node, silence_s=self._silence_s)
            # Nothing less ends a process that is stopped. It may die later, if the kernel holds it.
            slot.process.kill()
            slot.was_silent = True
        if slot.process is not None and (code := slot.process.poll()) is not None:
            self._note_death(slot, code, crashed=has_crashed(code) or slot.was_silent)
        if slot.process is None and now >= slot.due_at:
            environ = {**os.environ, **slot.environ, "PIXELMILL_LAST": slot.last}
            slot.process = subprocess.Popen(  # noqa: S603  # our own command line
                self._command(slot), env=environ, preexec_fn=_die_with_parent
            )
            slot.started_at = now

    def _note_death(self, slot: Slot, code: int, *, crashed: bool) -> None:
        now = time.monotonic()
        quick = now - slot.started_at < _LONG_LIFE_S
        slot.wait_s = min(_LONGEST_WAIT_S, max(0.5, slot.wait_s * 2)) if quick else 0.0
        slot.due_at = now + slot.wait_s
        slot.last = "crash" if crashed else "end"
        metrics.WORKER_DEATHS.labels(slot.pool, slot.last).inc()
        slot.process, slot.was_silent = None, False
        log.warning("worker_died", node=slot.node, code=code)
        self._on_death(slot)

    def _is_silent(self, slot: Slot, now: float) -> bool:
        """Say whether a process that is at work has not shown a sign of life for too long."""
        lately = max(read_beat(Path(slot.environ["PIXELMILL_FLIGHT"])), self._awake_since)
        return not slot.was_silent and slot.is_at_work() and lately < now - self._silence_s

    def _tell_pids(self) -> None:
        """Tell who watches which process fills which slot, and which of them are at work."""
        running = {f"worker-{n}": slot for n, slot in enumerate(self._slots) if slot.process}
        told = {
            "pids": {name: slot.process.pid for name, slot in running.items() if slot.process},
            "at_work": [name for name, slot in running.items() if slot.is_at_work()],
        }
        if self._pid_file is None or told == self._told:
            return
        draft = self._pid_file.with_suffix(".new")
        # On a disk that is full it is tried again with the next look; the work goes on.
        with suppress(OSError):
            draft.write_text(json.dumps(told))
            draft.replace(self._pid_file)
            self._told = told

    def _end_all(self) -> None:
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._grace_s
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker_killed", pid=process.pid)
                process.kill()
                process.wait()


def lease_reclaimer(database: Database) -> Callable[[Slot], None]:
    """Give what is to be done at a death: others can then run at once what the dead one held."""

    def act(slot: Slot) -> None:
        suspects = read_suspects(Path(slot.environ["PIXELMILL_FLIGHT"]))
        try:
            reclaim_leases_of_dead_process(
                database, slot.node, suspects, crashed=slot.last == "crash"
            )
        except SQLAlchemyError as err:
            # Its successor does it, or the leases run out.
            log.warning("leases_not_taken_back", node=slot.node, error=str(err).splitlines()[0])

    return act


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its launcher dies, so that no slot is filled twice.

    Nothing is lost by it: the next process of the same name takes the leases back.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def command_line() -> argparse.ArgumentParser:
    """Give what can be said on the command line."""
    parser = argparse.ArgumentParser(prog="workers.launcher", description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=1, help="CPU processes")
    parser.add_argument("--gpus", default="", help="GPU numbers, such as 0,1")
    parser.add_argument("--pid-file", type=Path, help="where to tell of each process")
    parser.add_argument("--io", action="store_true", help="become an io process")
    parser.add_argument("--beat", metavar="FILE", help="become the beat; FILE keeps its times")
    return parser


def main() -> None:
    """Read the command line and run until SIGTERM or SIGINT."""
    given = command_line().parse_args()
    keep_files_private()
    configure_logs()
    settings = load_settings_or_exit()
    if given.io:
        # It holds nothing under its name.
        slot = slot_of(IO, f"{socket.gethostname()}-{os.getpid()}/{IO}", _IO_THREADS, {})
        os.execve(sys.executable, command_of(slot), {**os.environ, **slot.environ})  # noqa: S606
    if given.beat:
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "workers.main"]
        os.execv(sys.executable, [*celery, "beat", "-s", given.beat, "--pidfile="])  # noqa: S606
    gpus = [number for number in given.gpus.split(",") if number]
    # A stack has a folder for what lives as long as it does.
    run = given.pid_file.parent if given.pid_file else None
    with (
        held_name(settings.database_url, run) as name,
        tempfile.TemporaryDirectory(prefix="pixelmill-flights-") as folder,
    ):
        slots = slots_for(settings, given.workers, gpus, Path(folder), name)
        figures = FiguresServer(settings.worker_metrics, Path(folder) / _FIGURES)
        # Celery waits for its threads; what overstays the grace time is handed back in a second.
        database = Database(settings.database_url)
        launcher = Launcher(
            slots,
            settings.grace_s + 5,
            given.pid_file,
            stall_s=settings.stall_s,
            on_death=lease_reclaimer(database),
        )
        signal.signal(signal.SIGTERM, launcher.stop)
        signal.signal(signal.SIGINT, launcher.stop)
        launcher.run()
        figures.close()
        database.close()


if __name__ == "__main__":
    main()
