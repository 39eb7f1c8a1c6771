"""A fork server whose examinations do what a file tells them: crash, hang, lie, reach out."""

import codecs
import gc
import mmap
import sys

from models.onnx_models.facts import Facts, Port
from models.records.errors import InputError, WeightsError
from tests.integration.workers.walls.hostile import TRICKS
from workers.walls import onnx_server
from workers.walls.inside import networks

GOOD = Facts((), (), producer="good")


def flood() -> Facts:
    return Facts((), (), producer="x" * 2**24)


def lie() -> Facts:
    return Facts((Port("x", "tensor(float)", (1, "all of it")),), ())  # type: ignore[arg-type]


def write_to_the_file() -> None:
    """Change what others may read after us; a sealed file cannot be."""
    (mapped,) = [each for each in gc.get_objects() if isinstance(each, mmap.mmap)] or [None]
    assert mapped is not None
    mapped[0] = 0


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
