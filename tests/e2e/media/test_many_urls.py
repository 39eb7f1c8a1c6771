"""A job of very many URLs, whose servers fail some and throttle some.

PIXELMILL_URLS says how many: 1,000,000 take hours on two cores.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from models.pictures.data import encode, heldout_digits
from tests.e2e.media.url_server import HOSTS, MISSING, THROTTLED
from tests.e2e.stacks import RunningStack, running_stack

# Taken out: a stack that saw it would ask whether PIXELMILL_URL is meant.
URLS = int(os.environ.pop("PIXELMILL_URLS", "100000"))
PER_HOST = 6
MIB = 1024**2


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.e2e.media.url_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(
        tmp_path_factory.mktemp("urls"),
        PIXELMILL_EGRESS_ALLOW="127.0.0.0/8",
        PIXELMILL_URL_REQUESTS_PER_HOST=str(PER_HOST),
    ) as running:
        yield running


class Memory:
    """The resident memory of each role of a stack, with its processes', as it goes on; in bytes."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.seen: list[dict[str, int]] = []

    def look(self) -> None:
        self.seen.append({role: _resident(pid) for role, pid in self._stack.pids.items()})

    def grown(self) -> dict[str, int]:
        """Give by role how much more its last quarter took at most than its second."""
        quarter = max(1, len(self.seen) // 4)
        before, after = self.seen[quarter : 2 * quarter], self.seen[-quarter:]
        return {
            role: max(each.get(role, 0) for each in after)
            - max(each.get(role, 0) for each in before)
            for role in self.seen[-1]
        }


@contextmanager
def watched(stack: RunningStack) -> Iterator[Memory]:
    memory, ended = Memory(stack), threading.Event()

    def look() -> None:
        while not ended.wait(1):
            memory.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _resident(pid: int) -> int:
    """Give the resident memory of a process and of those below it; 0 of one that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)


def manifest(path: Path, port: int) -> Path:
    with path.open("w") as file:
        for number in range(URLS):
            url = f"http://{HOSTS[number % len(HOSTS)]}:{port}/{number}"
            file.write(json.dumps({"custom_id": f"n{number}", "input": {"url": url}}) + "\n")
    return path


@pytest.mark.deep
@pytest.mark.timeout(0)
def test_each_url_has_its_own_result_and_memory_stays_flat(
    stack: RunningStack, port: int, tmp_path: Path
) -> None:
    images, _ = heldout_digits()
    sums = [hashlib.sha256(encode(image, ".png")).hexdigest() for image in images]
    began = time.monotonic()
    with stack.client() as client, watched(stack) as memory:
        job = client.submit(manifest(tmp_path / "urls.jsonl", port), model="digits")
        done = client.wait(job, timeout=86_400)
        took_s = time.monotonic() - began
        seen = bytearray(URLS)
        wrong = []
        codes: Counter[str] = Counter()
        for result in client.results(job):
            number = int(result.custom_id[1:])
            seen[number] += 1
            is_missing = number % 100 == MISSING
            expected = None if is_missing else sums[number % len(sums)]
            if (result.raw["input_sha256"], result.error is not None) != (expected, is_missing):
                wrong.append(number)
            if result.error is not None:
                codes[result.error.code] += 1
    counts = httpx.get(f"http://{HOSTS[0]}:{port}/counts", trust_env=False).json()
    grown = memory.grown()
    print(f"\n{URLS:,} URLs in {took_s:.0f} s, {URLS / took_s:.0f} a second; grown, in MiB:")
    print({role: round(count / MIB) for role, count in grown.items()}, counts)
    assert wrong == []
    assert set(seen) == {1}
    missing = sum(number % 100 == MISSING for number in range(URLS))
    assert codes == {"url_fetch_failed": missing}
    assert done.raw["request_counts"]["completed"] == URLS - missing
    assert max(counts["most"].values()) == PER_HOST
    assert all(count < 64 * MIB for count in grown.values()), grown
    # Last: where the machine stood still for longer than a lease, shards are run once more.
    throttled = sum(number % 100 == THROTTLED for number in range(URLS))
    assert counts["asked"] == URLS + throttled
