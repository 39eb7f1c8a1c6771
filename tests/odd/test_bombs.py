"""What bombs cost a decoder process: a clear error or an answer, little memory, and few seconds."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import pytest

from jobs.archives import ArchiveError, Member, expand, sniff_file, walk
from jobs.archives import Limits as ArchiveLimits
from models.media.sampling import Sampling
from models.records.record import VIDEO_LIMITS, Limits
from tests.e2e.stacks import wait_for
from tests.odd.bombs import ANSWER, FAMILIES, Bomb, bombs_of
from workers.walls.films import FilmDecoders, FilmError, spooled_film
from workers.walls.pictures import Asked, Packed, PictureDecoders
from workers.walls.processes import ForkServer

MIB = 2**20
# What decoding may take of any picture or film, and what it may take of one that holds little.
MEMORY = 2048 * MIB
LITTLE = 160 * MIB
# Members of an archive that are decoded; and what a bomb may take, on a busy machine.
MOST_MEMBERS, LONGEST_S = 5, 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    opened = ForkServer()
    yield opened
    opened.close()


class Watch:
    """Looks at what the processes of a fork server have taken at most, every few milliseconds."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most = 0

    @contextmanager
    def looking(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()
            self.note()

    def note(self) -> None:
        for pid in children_of(self._server.pid):
            self.most = max(self.most, peak_of(pid))

    def _look(self) -> None:
        while not self._is_over.wait(0.005):
            self.note()


def children_of(pid: int | None) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # gone meanwhile
        return []


def peak_of(pid: int) -> int:
    """Give the bytes that a process has held at most; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) * 1024


def picture_code(server: ForkServer, data: bytes | Packed) -> str:
    """Decode in a process of its own; gives the error's code, or ANSWER."""
    decoders = PictureDecoders(server, MEMORY)
    item = data if isinstance(data, Packed) else Packed(data, "raw", len(data))
    try:
        (only,) = decoders.decode([item], Asked(3, Limits()))
    finally:
        decoders.close()
    return ANSWER if only.error is None else coded(only.error.code, only.error.message)


def coded(code: str, message: str) -> str:
    """Give a code whose message is a sentence."""
    assert message.endswith("."), message
    return code


def film_code(server: ForkServer, data: bytes) -> str:
    """Decode all sampled frames of a film; gives the error's code, or ANSWER."""
    try:
        with spooled_film(FilmDecoders(server, MEMORY), data, VIDEO_LIMITS, lambda: None) as film:
            for _ in film.frames(Sampling(fps=8)):
                pass
    except FilmError as err:
        return coded(err.error.code, str(err))
    return ANSWER


def archive_code(server: ForkServer, data: bytes) -> str:
    """Walk an archive and decode its first members; gives the code of its error, or ANSWER."""
    try:
        with TemporaryFile() as file:
            members = list(islice(walked(data, file), MOST_MEMBERS))
            for each in members:
                file.seek(each.offset)
                packed = Packed(file.read(each.length), each.encoding, each.size)
                if each.fault is None:
                    picture_code(server, packed)
    except ArchiveError as err:
        return coded(err.code, str(err))
    # What a job without items is told (jobs.intake.preparation).
    return ANSWER if members else "empty_input"


def walked(data: bytes, file: BinaryIO) -> Iterator[Member]:
    """Walk an archive, or the tar in it, which then lies in the file."""
    kind = sniff_file(BytesIO(data))
    limits = ArchiveLimits()
    for chunk in [data] if kind in ("zip", "tar") else expand(kind, BytesIO(data), limits):
        file.write(chunk)
    kind = sniff_file(file)
    if kind not in ("zip", "tar"):
        raise ArchiveError("unsupported_archive", "There is no tar in it.")
    return (each for each in walk(kind, file, limits) if isinstance(each, Member))


CODES: dict[str, Callable[[ForkServer, bytes], str]] = {
    "pictures": picture_code,
    "films": film_code,
    "archives": archive_code,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bomb_ends_soon_in_little_memory_and_clearly(server: ForkServer, family: str) -> None:
    found = [fault(server, family, each) for each in bombs_of(family)]
    assert not [each for each in found if each]


def fault(server: ForkServer, family: str, odd: Bomb) -> str | None:
    """Set a bomb off; gives what it did that it may not."""
    # The decoder of the one before may take a moment to end, and is none of this one's.
    wait_for(lambda: not any(map(peak_of, children_of(server.pid))), 60, "decoders to end")
    rest, watch, began = forget_peak(), Watch(server), time.monotonic()
    with watch.looking():
        code = CODES[family](server, odd.data)
    took, own = time.monotonic() - began, peak_of(os.getpid()) - rest
    figures = f"{odd.name}: {code or 'answered'}, {took:.1f} s, "
    figures += f"decoder {watch.most / MIB:,.0f} MiB, parent +{own / MIB:,.0f} MiB"
    print(figures)
    is_little = max(watch.most, own) <= LITTLE + odd.honest_mib * MIB
    return None if code in odd.codes and is_little and took <= LONGEST_S else figures


def forget_peak() -> int:
    """Let the kernel count this process's peak anew; gives what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_of(os.getpid())


def test_the_watch_sees_what_a_decoder_takes(server: ForkServer) -> None:
    zeros = next(each for each in bombs_of("pictures") if each.honest_mib >= 800)
    watch = Watch(server)
    with watch.looking():
        picture_code(server, zeros.data)
    assert watch.most > LITTLE
