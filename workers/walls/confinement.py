"""What a decoder process gives up before it sees a stranger's byte."""

import ctypes
import os
import resource
import signal
from collections.abc import Iterable
from contextlib import suppress

from workers.walls.seccomp import restrict_calls

_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


def confine(memory: int, keep: Iterable[int]) -> None:
    """Give up everything but computing, the open files of `keep`, and `memory` more bytes.

    The process dies with the fork server, is nobody where it was root, dumps no core, and makes no
    call of the kernel that reaches out (`seccomp`).
    """
    _close_others({0, 1, 2, *keep})
    most = _address_space() + memory
    silence = os.open(os.devnull, os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        with suppress(PermissionError):  # a root without capabilities, as in a careful container
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # After the change of user, which clears it.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # What libraries print of a stranger's file is nothing for the worker's log.
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    restrict_calls(os.getpid())


def _close_others(keep: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                continue  # the folder's own, closed by now


def _address_space() -> int:
    """Give the bytes of addresses that this process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
