"""What every fork server does: it holds nothing, and forks a confined process for each message.

A message is `{"kind", "memory"}` with the open files that the kind takes, its own socket first;
the answer is a descriptor of the new process (pidfd) and its id. A fork takes milliseconds where a
start would take a second. The server has one thread, so that forking is safe, and ends with all
its children when its socket does.
"""

import gc
import os
import signal
import socket
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from workers.walls import wire
from workers.walls.confinement import confine

# Niceness: three times less of a core than those who have not stepped back.
_STEP = 5
# More of it for what computes for long: pictures take milliseconds, and are waited for.
_STEP_OF_LENGTHY = 10
_LEAST = 19


class Server(Protocol):
    """What a walled process does.

    It is made with its socket and its other open files before the process is confined, and may
    then map memory.
    """

    def run(self) -> None:
        """Answer messages until the other side is gone; raises wire.Closed then."""


Kinds = Mapping[str, Callable[..., Server]]


def prepare() -> None:
    """Set a fork server's process up, before it imports or preloads."""
    # What ends a whole group, as Ctrl-C in a terminal does, is for the worker, which ends its work
    # first; a closed socket says when to end here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Else decoders get ahead of the network on its own core, and then wait for it.
    os.nice(_STEP)


def serve(control: socket.socket, kinds: Kinds, lengthy: Collection[str] = ()) -> None:
    """Fork one process for each message, until the other side is gone; then end them all.

    Those of the `lengthy` kinds give way to the others.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit("a library has started a thread; forking would not be safe")
    # What is here stays: looking through it would only copy shared memory.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    wire.send(control, {"pid": os.getpid()})
    own = os.getpriority(os.PRIO_PROCESS, 0)
    while True:
        try:
            asked, fds = wire.receive_with_fds(control)
        except wire.Closed:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _become(kinds[asked["kind"]], asked["memory"], fds)
        for fd in fds:
            os.close(fd)
        if asked["kind"] in lengthy:
            with suppress(ProcessLookupError):  # dead by now
                os.setpriority(os.PRIO_PROCESS, pid, min(own + _STEP_OF_LENGTHY, _LEAST))
        _tell(control, pid)


def _tell(control: socket.socket, pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:  # dead by now
        process = os.open(os.devnull, os.O_RDONLY)
    wire.send(control, {"pid": pid}, [process])
    os.close(process)


def _become(kind: Callable[..., Server], memory: int, fds: list[int]) -> None:
    """Serve one kind in a process that has just been forked, and end with it."""
    try:
        own = socket.socket(fileno=fds[0])
        serving = kind(own, *fds[1:])
        confine(memory, fds)
        with suppress(wire.Closed):
            serving.run()
    except BaseException:
        # Where the process is confined by now, nobody reads it.
        traceback.print_exc()
    finally:
        os._exit(0)
