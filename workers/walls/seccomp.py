"""Which calls of the kernel a confined process may make; every other fails with EPERM.

The list has what computing, memory, threads and talking over what is open already need. It has no
call that opens a file, a socket or a process, that runs a program, or that signals or looks into
another process. `clone` makes threads alone; `clone3`, whose arguments no filter can see, is said
not to exist, and the C library then takes `clone`.

Written by hand, because libseccomp is no part of a Python wheel and a container need not have it.
Sources: seccomp(2), the kernel's unistd tables of x86-64 and arm64, linux/bpf_common.h.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping, Sequence

_CALLS: Mapping[str, tuple[int, int]] = {  # x86-64, arm64
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172),
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212),
    "exit": (60, 93), "uname": (63, 160), "gettimeofday": (96, 169), "getrusage": (98, 165),
    "sysinfo": (99, 179), "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "restart_syscall": (219, 128), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "set_robust_list": (273, 99), "getcpu": (309, 168), "getrandom": (318, 278),
    "membarrier": (324, 283), "rseq": (334, 293), "ppoll": (271, 73),
}  # fmt: skip
# Calls of x86-64 alone; arm64 has one of those above instead.
_OF_X86 = {"poll": 7, "time": 201, "arch_prctl": 158}
_CLONE, _CLONE3, _TGKILL = (56, 220), (435, 435), (234, 131)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

_CLONE_THREAD = 0x00010000

# Operations of the classic Berkeley packet filter.
_LOAD, _EQUALS, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
# Places in the kernel's seccomp_data: the call, the architecture, two arguments' lower halves.
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

Line = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def restrict_calls(pid: int) -> bool:
    """Hold the calling process, whose id is `pid`, to the list for good; False where unknown.

    Needs `no_new_privs`, or root. Raises OSError when the kernel refuses.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return False
    lines = b"".join(struct.pack("=HBBI", *line) for line in program(*known, pid))
    loaded = _Program(len(lines) // 8, lines)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0):
        code = ctypes.get_errno()
        if code == errno.EINVAL:  # a kernel without seccomp
            return False
        raise OSError(code, "the kernel refused the filter of calls")
    return True


def program(architecture: int, column: int, pid: int) -> Sequence[Line]:
    """Write the filter: (operation, lines to jump if true, if false, constant) a line."""
    allowed = [numbers[column] for numbers in _CALLS.values()]
    allowed += [] if column else list(_OF_X86.values())
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *(line for number in allowed for line in _allowing(number)),
        (_EQUALS, 0, 1, _CLONE3[column]),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        # A new thread, never a process.
        (_EQUALS, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        # abort() signals the process itself, and nobody else may be.
        (_EQUALS, 0, 3, _TGKILL[column]),
        (_LOAD, 0, 0, _FIRST),
        (_EQUALS, 0, 1, pid),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
    ]


def _allowing(number: int) -> tuple[Line, Line]:
    return (_EQUALS, 0, 1, number), (_RETURN, 0, 0, _ALLOW)
