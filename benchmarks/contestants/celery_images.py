"""What people write first: one Celery task a picture, results in Redis, a process a core."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contestants.turns import WARM_UP, given_work, take_turns
from pixelmill.stack.redis_server import find_redis_server


def main() -> None:
    """Start Redis and a worker, and take turns at them."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder)):
        # Its application reads where Redis is as it is imported.
        from celery import group

        from benchmarks.contestants.celery_tasks import classify

        paths = []
        for number, item in enumerate(given_work().items()):
            path = Path(folder) / f"{number:06d}"
            path.write_bytes(item)
            paths.append(str(path))

        def classes(some: Sequence[str]) -> list[int]:
            found: list[int] = group(classify.s(path) for path in some)().get(timeout=600)
            return found

        def turn(_options: Mapping[str, Any]) -> tuple[float, list[int]]:
            start = time.perf_counter()
            labels = classes(paths)
            return time.perf_counter() - start, labels

        classes(paths[:WARM_UP])
        take_turns(turn)


@contextmanager
def _running(folder: Path) -> Iterator[None]:
    """Run Redis and a worker on a socket in the folder."""
    socket = folder / "redis.sock"
    os.environ |= {
        "BENCHMARK_REDIS": f"redis+socket://{socket}",
        "BENCHMARK_WORK": str(given_work().folder),
        "OMP_NUM_THREADS": "1",
    }
    redis = [find_redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    worker = [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "benchmarks.contestants.celery_tasks"),
        *("worker", "--concurrency", str(os.cpu_count() or 1), "--loglevel", "ERROR"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    # What they print must not come between the lines of the protocol.
    processes = [
        subprocess.Popen(command, stdout=sys.stderr)  # noqa: S603  # our own command lines
        for command in (redis, worker)
    ]
    try:
        yield
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
