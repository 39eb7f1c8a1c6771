"""Decoder processes, as their parent sees them: forked when needed, watched, surely ended."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

import workers
from jobs.metrics import metrics
from workers.walls import wire

log = structlog.get_logger(__name__)

DEFAULT_MODULE = "workers.walls.fork_server"

# How often a process that says nothing is looked at, in seconds.
_LOOK_S = 0.25
# A process may stand still for so many times what it may compute: machines do at times.
_PATIENCE = 5.0
_START_S = 120.0
# The kernel's lowest priority.
_LEAST = 19

# All that a decoder process has in its environment, beside where Python's code lies.
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "HOME": "/",
    # One thread each: they are as many as there are cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # onnxruntime would start a thread of its own when it is imported, and tell its makers.
    "ORT_DISABLE_TELEMETRY": "1",
    # Nor may one of pyarrow's allocators, and the other asks for a gigabyte of addresses at once.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    # Memory that was not written holds a pattern, and never what lay there before.
    "MALLOC_PERTURB_": "165",
}


class ProcessDied(Exception):
    """The decoder process has ended in the middle of its work."""


class TookTooLong(Exception):
    """The decoder process was ended, because one step took longer than it may."""


class DecoderProcess:
    """One decoder process; to be closed, which ends it."""

    def __init__(self, own: socket.socket, pid: int, process: int, kind: str) -> None:
        self.pid, self._kind = pid, kind
        metrics.DECODERS_STARTED.labels(kind).inc()
        metrics.DECODERS.labels(kind).inc()
        self._own, self._process = own, process
        self._until_cpu_s = self._until_s = 0.0
        self._idle_s = self._seen_s = 0.0

    def allow(self, seconds: float) -> None:
        """Begin a step that may compute for so long, and stand still for some times as long."""
        self._seen_s = self.computed_s()
        self._until_cpu_s = self._seen_s + seconds
        self._idle_s = _PATIENCE * seconds
        self._until_s = time.monotonic() + self._idle_s

    def step_back(self) -> None:
        """Let the process compute only while nobody else wants to, for the rest of its life."""
        with suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, self.pid, _LEAST)

    def send(self, message: object) -> None:
        """Send a message; raises ProcessDied."""
        try:
            wire.send(self._own, message)
        except wire.Closed as err:
            raise ProcessDied from err

    def receive(self, look: Callable[[], None] = lambda: None) -> Any:
        """Wait for the next message; `look` is called now and then meanwhile.

        Raises ProcessDied, and TookTooLong when the time that `allow` gave is over.
        """
        while not select.select([self._own], [], [], _LOOK_S)[0]:
            look()
            computed_s, now = self.computed_s(), time.monotonic()
            if computed_s > self._seen_s:
                # However slowly: a busy machine times nothing out.
                self._seen_s, self._until_s = computed_s, now + self._idle_s
            if computed_s > self._until_cpu_s or now > self._until_s:
                self.kill()
                metrics.DECODERS_LOST.labels(self._kind, "too_long").inc()
                raise TookTooLong
        try:
            return wire.receive(self._own)
        except (wire.Closed, ValueError) as err:
            metrics.DECODERS_LOST.labels(self._kind, "crashed").inc()
            raise ProcessDied from err

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):  # it has ended
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def close(self) -> None:
        """End the process and let go of it."""
        self.kill()
        self._own.close()
        os.close(self._process)
        metrics.DECODERS.labels(self._kind).dec()

    def computed_s(self) -> float:
        """Give the seconds that the process has computed; 0.0 when it has ended."""
        # The kernel's number of the clock of a whole process (clock_getcpuclockid(3)).
        clock = (~self.pid << 3) | 2
        try:
            return time.clock_gettime(clock)
        except OSError:
            return 0.0


class ForkServer:
    """The process that decoder processes are forked from; started anew when it dies."""

    def __init__(self, module: str = DEFAULT_MODULE) -> None:
        """Make one that starts when it is first needed; `module` is what Python runs."""
        self._module = module
        self._lock = threading.Lock()
        self._is_closed = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to start it, without waiting: it takes a second."""
        with self._lock:
            if self._process is None:
                self._start()

    def fork(self, kind: str, memory: int, fds: Sequence[int]) -> DecoderProcess:
        """Give a new process of a kind, with open files, and `memory` bytes that it may take.

        Raises ProcessDied when there is none to be had.
        """
        with self._lock:
            if self._is_closed:
                raise ProcessDied
            if self._process is None:
                self._start()
            try:
                return self._fork(kind, memory, fds)
            except (wire.Closed, OSError) as err:
                log.warning("fork_server_died", error=repr(err))
                metrics.FORK_SERVER_RESTARTS.inc()
                self._end()
                self._start()
            try:
                return self._fork(kind, memory, fds)
            except (wire.Closed, OSError) as err:
                raise ProcessDied from err

    @property
    def pid(self) -> int | None:
        """The id of the fork server's process; None before it was first needed."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """End it, and every process that was forked from it."""
        with self._lock:
            self._is_closed = True
            self._end()

    def _start(self) -> None:
        self._control, theirs = wire.pair()
        self._is_ready = False
        house = str(Path(workers.__file__).parents[1])
        self._process = subprocess.Popen(  # noqa: S603  # our own command line
            [sys.executable, "-m", self._module, str(theirs.fileno())],
            env={**_ENVIRONMENT, "PYTHONPATH": house},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if sys.stderr is not None else subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def _fork(self, kind: str, memory: int, fds: Sequence[int]) -> DecoderProcess:
        if not self._is_ready:
            self._control.settimeout(_START_S)
            wire.receive(self._control)
            self._is_ready = True
        own, theirs = wire.pair()
        try:
            wire.send(self._control, {"kind": kind, "memory": memory}, [theirs.fileno(), *fds])
            answer, (process,) = wire.receive_with_fds(self._control)
        except BaseException:
            own.close()
            raise
        finally:
            theirs.close()
        return DecoderProcess(own, answer["pid"], process, kind)

    def _end(self) -> None:
        if self._process is None:
            return
        self._control.close()
        # It ends when its socket does; what it still computes at does not.
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
