"""One tenant who sends every bomb there is, and what a stack's processes hold meanwhile."""

import base64
import http.server
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from pixelmill import ApiError, Client, Job
from tests.e2e.stacks import RunningStack, results_of
from tests.loopback import serving
from tests.odd.bombs import ANSWER, Bomb, bombs_of
from tests.odd.leftovers import decoders_below
from tests.odd.still.bomb_pictures import small_png

WAIT_S = 100
# Errors that say that we broke, not the item.
OURS = ("internal_error", "worker_crashed", "preparation_failed")
URLS, URL_BYTES = 24, 20_000_000


@dataclass
class Bombing:
    """What came of the bombs, by their names; faults are what may not be."""

    outcomes: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    rounds: int = 0

    def note(self, name: str, error: Mapping[str, Any] | None, codes: frozenset[str]) -> None:
        """Hold one outcome against what it may be."""
        code = ANSWER if error is None else error["code"]
        self.outcomes[name] = code or "answered"
        if code in OURS or (codes and code not in codes):
            self.faults.append(f"{name}: {error}")
        elif error is not None and not error["message"].endswith("."):
            self.faults.append(f"{name}: no sentence: {error['message']}")


class Bomber:
    """Sends the bombs from a process of its own, so that making them delays no other client."""

    def __init__(self, url: str, key: str, room: Path) -> None:
        self.bombing = Bombing()
        spawn = multiprocessing.get_context("spawn")
        self._enough, self._told = spawn.Event(), spawn.Queue()
        given = url, key, room, self._enough, self._told
        self._process = spawn.Process(target=_bomb, args=given, daemon=True)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Send bombs while the block runs, and at least all of them once."""
        self._process.start()
        try:
            yield
        finally:
            self._enough.set()
            self.bombing = self._told.get()
            self._process.join()


def _bomb(url: str, key: str, room: Path, enough: Event, told: "Queue[Bombing]") -> None:
    os.nice(10)  # as a rule clients compute elsewhere
    with Client(url, key) as client:
        round_ = _Round(client, room)
        try:
            while not enough.is_set():
                round_.send_all()
                round_.bombing.rounds += 1
        except Exception as err:
            round_.bombing.faults.append(f"sending: {err!r}")
    told.put(round_.bombing)


class _Round:
    """All the bombs, sent once, and again when asked."""

    def __init__(self, client: Client, room: Path) -> None:
        self._client, self._room = client, room
        self.bombing = Bombing()
        for family in ("pictures", "films"):
            (room / family).mkdir(parents=True)
            for each in bombs_of(family):
                (room / family / each.name).write_bytes(each.data)

    def send_all(self) -> None:
        with slow_server() as root:
            jobs: list[tuple[Job, Callable[[Job], None]]] = []
            for family, model in (("pictures", "digits"), ("films", "motion")):
                job = self._client.submit(self._room / family, model=model)
                codes = {each.name: each.codes for each in bombs_of(family)}
                jobs.append((job, lambda job, codes=codes: self._check_items(job, codes)))
            urls = [f"{root}/{number}.png" for number in range(URLS)]
            job = self._client.submit(urls, model="digits")
            jobs.append((job, lambda job: self._check_items(job, {})))
            for each in bombs_of("archives"):
                job = self._submitted(each)
                jobs.append((job, lambda job, each=each: self._check_archive(job, each)))
            self._send_texts()
            for job, check in jobs:
                check(self._client.wait(job, timeout=WAIT_S))
                self._client.delete(job)

    def _submitted(self, each: Bomb) -> Job:
        path = self._room / each.name
        path.write_bytes(each.data)
        with path.open("rb") as file:
            upload = self._client.upload(file, each.name)
        return self._client.submit(upload, model="digits", delete_inputs=True)

    def _send_texts(self) -> None:
        """Send base64 with a great many blanks, and data that claim to be something else."""
        text = base64.b64encode(small_png()).decode()
        for name, data in (
            ("blanks", "\n".join(text) + " " * 20_000_000),
            ("data URL", f"data:image/png;{'a=b;' * 2_000_000}base64,{text}"),
            ("padding", text.rstrip("=") + "=" * 20_000_000),
        ):
            try:
                job = self._client.submit([{"input": {"data": data}}], model="digits")
                self._check_items(self._client.wait(job, timeout=WAIT_S), {}, name)
            except ApiError as err:
                self.bombing.note(name, {"code": err.code, "message": err.message}, frozenset())

    def _check_items(
        self, job: Job, codes: Mapping[str, frozenset[str]], name: str | None = None
    ) -> None:
        if job.status != "completed":
            self.bombing.faults.append(f"{job.status}: {job.status_reason}")
            return
        rows = results_of(self._client, job.id)
        if len(rows) != job.request_counts.total:
            self.bombing.faults.append(f"{len(rows)} rows of {job.request_counts.total}")
        for row in rows:
            of = row["custom_id"].rpartition("/")[2]
            self.bombing.note(name or of, row["error"], codes.get(of, frozenset()))

    def _check_archive(self, job: Job, each: Bomb) -> None:
        if job.status == "failed":
            self.bombing.note(each.name, job.raw["errors"]["data"][0], each.codes)
            return
        self.bombing.note(each.name, None, each.codes)
        for row in results_of(self._client, job.id):
            self.bombing.note(f"an item of {each.name}", row["error"], frozenset())


@contextmanager
def slow_server() -> Iterator[str]:
    """Serve large files that come slowly and do not say how large they are; gives the root."""
    with serving(_Slow) as at:
        yield at


class _Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the base class calls it so
        self.send_response(200)
        self.end_headers()
        part, between = bytes(URL_BYTES // 20), threading.Event()
        for _ in range(20):
            self.wfile.write(part)
            between.wait(0.02)

    def log_message(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Held:
    """Bytes that processes hold: workers by their role, and the decoder that holds most."""

    workers: Mapping[str, int]
    decoder: int


def held(stack: RunningStack) -> Held:
    """Look at what a stack's workers and decoders hold now."""
    workers = {
        role: _bytes_of(pid, "VmRSS") for role, pid in stack.pids.items() if "worker" in role
    }
    decoders = [_bytes_of(pid, "VmRSS") for pid in decoders_below(stack.process.pid)]
    return Held(workers, max(decoders))


class PeakOfDecoders:
    """Looks a few times a second at what decoders have held at most."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.bytes = 0

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.25):
            for pid in decoders_below(self._stack.process.pid):
                self.bytes = max(self.bytes, _bytes_of(pid, "VmHWM"))


def _bytes_of(pid: int, line: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # gone meanwhile
        return 0
    return sum(int(each.split()[1]) for each in status if each.startswith(line)) * 1024


def seconds_of_small_jobs(client: Client, picture: Path, count: int) -> list[float]:
    """Send so many jobs of one picture, one after the other; gives how long each took."""
    taken = []
    for _ in range(count):
        began = time.monotonic()
        job = client.wait(client.submit([picture], model="digits"), timeout=WAIT_S)
        taken.append(time.monotonic() - began)
        assert job.outcome == "succeeded", job.status_reason
    return taken
