"""Whatever a picture makes its decoder do costs that picture, and reaches nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from models.media.opencv import cv2
from models.records.record import Limits
from tests.integration.workers.fakes import picture
from workers.walls.arena import HEADER, Arena
from workers.walls.pictures import Asked, Decoded, Packed, PictureDecoders
from workers.walls.processes import ForkServer, ProcessDied

ASKED = Asked(1, Limits(max_pixels=1_000_000))
MEMORY = 256 * 2**20
Decode = Callable[..., list[str | None]]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    opened = ForkServer("tests.integration.workers.walls.hostile")
    yield opened
    opened.close()


@pytest.fixture
def decoders(server: ForkServer) -> Iterator[PictureDecoders]:
    opened = PictureDecoders(server, MEMORY, seconds=0.5)
    yield opened
    opened.close()


def packed(*contents: bytes) -> list[Packed]:
    return [Packed(each, "raw", len(each)) for each in contents]


def trick(name: str) -> bytes:
    return b"trick:" + name.encode()


def codes(decoders: PictureDecoders, *contents: bytes) -> list[str | None]:
    return [each.error and each.error.code for each in decoders.decode(packed(*contents), ASKED)]


def message(decoders: PictureDecoders, name: str) -> str:
    error = decoded(decoders, trick(name)).error
    assert error is not None
    return error.message


def decoded(decoders: PictureDecoders, content: bytes) -> Decoded:
    (only,) = decoders.decode(packed(content), ASKED)
    return only


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("crash", "decoder_crashed"),
        ("spin", "decoder_timeout"),
        ("sleep", "decoder_timeout"),
        ("burst", "decoder_memory"),
        ("lie", "decoder_crashed"),
    ],
)
def test_a_picture_that_breaks_its_decoder_costs_itself_alone(
    decoders: PictureDecoders, name: str, code: str
) -> None:
    good = picture(1)
    assert codes(decoders, good, good, trick(name), good) == [None, None, code, None]


def test_the_neighbours_of_a_crash_are_decoded_to_their_own_pixels(
    decoders: PictureDecoders,
) -> None:
    contents = [picture(0), trick("crash"), picture(1), trick("crash"), picture(2)]
    found = {
        each.number: each.picture.pixels.copy()
        for each in decoders.decode(packed(*contents), ASKED)
        if each.picture is not None
    }
    for number in (0, 2, 4):
        (alone,) = decoders.decode(packed(contents[number]), ASKED)
        assert alone.picture is not None
        assert (found[number] == alone.picture.pixels).all()


def test_a_crash_is_got_over_at_once(decoders: PictureDecoders) -> None:
    codes(decoders, picture(0))
    began = time.monotonic()
    for _ in range(5):
        assert codes(decoders, trick("crash")) == ["decoder_crashed"]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "name", ["read_environment", "connect", "write_file", "fork", "run", "kill_parent"]
)
def test_a_decoder_reaches_nothing(decoders: PictureDecoders, name: str) -> None:
    assert "Error: [Errno" in message(decoders, name)


def test_a_decoder_has_nothing_of_its_parent(
    decoders: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELMILL_DATABASE_URL", "postgresql://secret")
    names = set(message(decoders, "own_environment").split())
    assert not {name for name in names if name.startswith(("PIXELMILL", "AWS"))}
    loaded = set(message(decoders, "modules").split())
    assert not loaded & {"torch", "sqlalchemy", "psycopg", "redis", "obstore", "pyarrow", "celery"}


def test_a_decoder_is_nobody_where_its_parent_is_root(decoders: PictureDecoders) -> None:
    status = Path(f"/proc/{message(decoders, 'who')}/status").read_text()
    (uids,) = [line for line in status.splitlines() if line.startswith("Uid:")]
    assert int(uids.split()[1]) == (65534 if os.getuid() == 0 else os.getuid())


def test_a_killed_decoder_costs_nobody_anything(decoders: PictureDecoders) -> None:
    os.kill(int(message(decoders, "who")), signal.SIGKILL)
    assert codes(decoders, picture(0), picture(1)) == [None, None]


def test_decoders_that_died_while_they_were_idle_are_nobodys_fault(
    decoders: PictureDecoders, server: ForkServer
) -> None:
    first = decoders.decode(packed(picture(0), picture(1)), ASKED)
    next(first)
    second = decoders.decode(packed(picture(0), picture(1)), ASKED)
    next(second)
    for answers in (first, second):
        assert [each.error for each in answers] == [None]
    for pid in children_of(server.pid):
        os.kill(pid, signal.SIGKILL)
    assert codes(decoders, picture(0), picture(1)) == [None, None]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_a_whole_group_ends_no_decoder_before_its_worker(
    decoders: PictureDecoders, server: ForkServer, number: signal.Signals
) -> None:
    pid = int(message(decoders, "who"))
    for each in (pid, server.pid):
        os.kill(each, number)
    assert int(message(decoders, "who")) == pid


def test_a_killed_fork_server_costs_nobody_anything(server: ForkServer) -> None:
    decoders = PictureDecoders(server, MEMORY)
    assert codes(decoders, picture(0)) == [None]
    os.kill(server.pid, signal.SIGKILL)
    assert codes(decoders, picture(0), picture(1)) == [None, None]
    decoders.close()


def test_whoever_goes_away_in_the_middle_leaves_no_process_at_work(
    decoders: PictureDecoders, server: ForkServer
) -> None:
    answers = decoders.decode(packed(*map(picture, range(20))), ASKED)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert codes(decoders, picture(0)) == [None]


def test_many_threads_decode_at_once_each_its_own(decoders: PictureDecoders) -> None:
    wanted = {n: decoded(decoders, picture(n)).sha256 for n in range(12)}
    found: dict[int, str | None] = {}

    def decode(number: int) -> None:
        for each in decoders.decode(packed(*[picture(number)] * 5), ASKED):
            found[number] = each.sha256

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == wanted


def test_a_fork_server_that_cannot_start_is_told() -> None:
    server = ForkServer("tests.integration.workers.walls.missing")
    decoders = PictureDecoders(server, MEMORY)
    with pytest.raises(ProcessDied):
        codes(decoders, picture(0))
    server.close()


def test_at_rest_only_processes_that_large_pictures_went_through_are_ended() -> None:
    server = ForkServer()
    decoders = PictureDecoders(server, 1024 * 2**20)
    assert codes(decoders, picture(0)) == [None]
    (small,) = children_of(server.pid)
    decoders.rest(keep=1)
    assert children_of(server.pid) == [small]
    large = cv2.imencode(".png", np.zeros((3000, 3000), np.uint8))[1].tobytes()
    asked = Asked(1, Limits())
    assert [each.error for each in decoders.decode(packed(large), asked)] == [None]
    ending = os.pidfd_open(small)
    decoders.rest(keep=1)
    assert ended(ending)
    assert codes(decoders, picture(0)) == [None]
    decoders.close()
    server.close()


def test_pictures_that_fill_the_shared_memory_are_decoded_once_and_by_one_process() -> None:
    server = ForkServer()
    decoders = PictureDecoders(server, 1024 * 2**20)
    assert codes(decoders, picture(0)) == [None]
    before = children_of(server.pid)
    # Two of them are more than what is kept: after each the process waits until it was used.
    contents = [
        cv2.imencode(".png", np.full((6000, 7000), value, np.uint8))[1].tobytes()
        for value in range(3)
    ]
    values = [
        each.picture and (int(each.picture.pixels.min()), int(each.picture.pixels.max()))
        for each in decoders.decode(packed(*contents), Asked(1, Limits()))
    ]
    assert values == [(0, 0), (1, 1), (2, 2)]
    assert children_of(server.pid) == before
    decoders.close()
    server.close()


PARENT = """
import sys
from models.records.record import Limits
from workers.walls.pictures import Asked, Packed, PictureDecoders
from workers.walls.processes import ForkServer

def told(trick):
    packed = Packed(trick, "raw", len(trick))
    (decoded,) = decoders.decode([packed], Asked(1, Limits()))
    return decoded.error.message

server = ForkServer("tests.integration.workers.walls.hostile")
decoders = PictureDecoders(server, 2**28)
print(told(b"trick:who"), server.pid, flush=True)
sys.stdin.readline() and told(b"trick:sleep")
"""


@pytest.mark.parametrize("state", ["idle", "at work"])
def test_no_decoder_outlives_its_worker(state: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    processes = [os.pidfd_open(int(each)) for each in parent.stdout.readline().split()]
    if state == "at work":
        parent.stdin.write("\n")
        parent.stdin.flush()
    parent.kill()
    parent.wait()
    for process in processes:
        assert ended(process)
    parent.stdin.close()
    parent.stdout.close()


def ended(process: int) -> bool:
    """Wait until a process has ended."""
    import select

    readable, _, _ = select.select([process], [], [], 20)
    os.close(process)
    return bool(readable)


def test_what_computes_for_long_steps_back_behind_the_others(server: ForkServer) -> None:
    decoders = PictureDecoders(server, MEMORY, seconds=3)
    own = os.getpriority(os.PRIO_PROCESS, int(message(decoders, "who")))
    assert own > os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[int] = []

    def beat() -> None:
        (busy,) = children_of(server.pid)
        seen.append(os.getpriority(os.PRIO_PROCESS, busy))

    (found,) = decoders.decode(packed(trick("spin")), ASKED, beat)
    assert found.error is not None
    assert seen[0] == own
    assert seen[-1] == 19
    decoders.close()


@pytest.mark.parametrize(("kind", "files"), [("films", 2), ("archives", 1)])
def test_what_computes_for_long_gives_way_to_pictures(
    server: ForkServer, kind: str, files: int
) -> None:
    memory = Arena.create("test", HEADER)

    def niceness(of: str, count: int) -> int:
        process = server.fork(of, MEMORY, [memory.fd] * count)
        try:
            return os.getpriority(os.PRIO_PROCESS, process.pid)
        finally:
            process.close()

    try:
        assert niceness(kind, files) > niceness("pictures", 2)
    finally:
        memory.close()
