"""A fork server whose examinations do what a file tells them: crash, hang, lie, reach out."""

import codecs
import ctypes
import errno
import mmap
import sys

from models.onnx_models.examination.facts import Facts, Port
from models.records.errors import InputError, WeightsError
from tests.integration.workers.walls.hostile import TRICKS, Tried
from workers.walls import onnx_server
from workers.walls.inside import networks

GOOD = Facts((), (), producer="good")


def flood() -> Facts:
    return Facts((), (), producer="x" * (12 * 2**20))


def lie() -> Facts:
    return Facts((Port("x", "tensor(float)", (1, "all of it")),), ())  # type: ignore[arg-type]


def write_to_the_file() -> None:
    """Map what others may read after us, to write to it; a sealed file cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_ssize_t
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    for number in range(3, 64):
        mapped = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, number, 0)
        if mapped != -1:
            raise Tried(f"mapped {number}")
    raise OSError(errno.EPERM, "nothing can be written to")


TRICKS = {**TRICKS, "flood": flood, "lie": lie, "write_to_the_file": write_to_the_file}


def obey(data: bytes) -> Facts:
    if not data.startswith(b"trick:"):
        return GOOD
    try:
        return TRICKS[data.removeprefix(b"trick:").decode()]() or GOOD
    except (OSError, InputError) as err:
        raise WeightsError(f"{type(err).__name__}: {err}") from err


if __name__ == "__main__":
    codecs.lookup("idna")  # of names of machines, which would be read from a file later
    onnx_server.preload = lambda: None
    networks.examine = obey
    onnx_server.main(sys.argv[1:])
