"""What one worker process is: its name, its pool, its device and its share of the cores.

The launcher decides all of it and says so in the environment, before anything imports torch:

    PIXELMILL_NODE    the name that leases are held under; the same after a restart
    PIXELMILL_POOL    cpu, gpu or io
    PIXELMILL_CORES   how many cores this process may use
    PIXELMILL_FLIGHT  the file of its flight record; the same after a restart
    PIXELMILL_LAST    how the process before it under this name ended: "crash", or anything else
"""

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.base.hints import CPU, GPU, IO
from jobs.base.settings import Settings

# Lanes of a GPU: while one computes, the other brings its next batch. And the most of a CPU, for
# each that a heavy network has used keeps a thread a core.
_STREAMS, _MOST_LANES = 2, 16
# Niceness: three times less of a core than those who have not stepped back, and the kernel's bound.
_STEP, _LEAST = 5, 19


@dataclass(frozen=True, slots=True)
class Process:
    """One worker process."""

    node: str
    pool: str
    cores: int
    decode_threads: int
    # Batches that may be computed at a time.
    lanes: int
    flight: Path
    predecessor_crashed: bool = False

    @property
    def place(self) -> str:
        """Which of its launcher's places it fills: `cpu0`, `gpu1`; its pool where none did."""
        last = self.node.rpartition("/")[2]
        return self.pool if last.isdecimal() else last

    @property
    def device(self) -> str:
        """Torch's name for the device: with CUDA_VISIBLE_DEVICES set there is only one."""
        return "cuda" if self.pool == GPU else "cpu"

    @property
    def heavy_cores(self) -> int:
        """With how many cores a heavy network computes; on a GPU there is little left for them."""
        return 1 if self.pool == GPU else self.cores

    def use_one_core(self) -> None:
        """Keep torch in the calling thread to one core: there are many decode threads."""
        self.use_cores(1)

    def step_back(self) -> None:
        """Let the calling thread compute on one core, and behind others who want it.

        Decode threads do: otherwise they get ahead of the network on its own core, and then wait
        for it with theirs idle.
        """
        self.use_one_core()
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            thread = threading.get_native_id()
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(nice + _STEP, _LEAST))

    def use_cores(self, count: int) -> None:
        """Let torch use so many cores for what the calling thread computes."""
        import torch

        # A thread's first question gives it the number that any thread has set last. Only what is
        # set after that is its own, and stays.
        torch.get_num_threads()
        torch.set_num_threads(count)


def this_process(settings: Settings, environ: Mapping[str, str] = os.environ) -> Process:
    """Read what the launcher said of this process."""
    cores = int(environ.get("PIXELMILL_CORES", os.cpu_count() or 1))
    pool = environ.get("PIXELMILL_POOL", CPU)
    return Process(
        node=environ.get("PIXELMILL_NODE", f"{socket.gethostname()}/{pool}/{os.getpid()}"),
        pool=pool,
        cores=cores,
        decode_threads=settings.decode_threads or cores,
        lanes=settings.lanes or (_STREAMS if pool == GPU else min(cores, _MOST_LANES)),
        flight=Path(environ.get("PIXELMILL_FLIGHT") or _own_flight_record(pool)),
        predecessor_crashed=environ.get("PIXELMILL_LAST") == "crash",
    )


def _own_flight_record(pool: str) -> str:
    """Name a record for a process that no launcher started: nobody will read it after a crash."""
    if pool == IO:
        return os.devnull  # nothing flies there
    return os.path.join(tempfile.mkdtemp(prefix="pixelmill-"), "flight")
