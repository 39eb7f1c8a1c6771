"""Lets contestants infer the same work in interleaved rounds, and compares them with raw.

Each is started once and waits until it is ready; then it stands still, stopped by a signal, but
for its turns, so that whoever has the turn is alone on the machine. A machine that grows slower
strikes all of them, and a ratio is taken within its round.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import BUILD
from benchmarks.freezing import freeze, thaw
from benchmarks.usage import PeakMemory, cpu_seconds
from benchmarks.works import Work
from workers.launcher import COMPUTING

RAW, OURS = "raw", "Pixelmill"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part: a name for the table, a module, and the options of its turns."""

    name: str
    module: str
    # Of its own environment in build/peers; None for the one that this runs in.
    peer: str | None = None
    # Each is a turn, and a line of the table: what it is called behind the name, and its options.
    turns: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment: raw computes as our processes do, the peers as people start them."""
        return COMPUTING if self.name == RAW else {}

    @property
    def python(self) -> Path:
        """The interpreter that it runs in."""
        return BUILD / "peers" / self.peer / "bin/python" if self.peer else Path(sys.executable)

    @property
    def is_installed(self) -> bool:
        """Whether it can take part."""
        return self.python.exists()


UPLOADED = ", upload counted"
PEERS = (
    Contestant("Celery, a task a picture", "celery_images"),
    Contestant("Mosec", "mosec_images", "mosec"),
    Contestant("LitServe", "litserve_images", "litserve"),
    Contestant("Ray Data", "ray_images", "ray"),
)


@dataclass(slots=True)
class Turns:
    """What was measured of one line of the table, an entry a round."""

    images_per_s: list[float] = field(default_factory=list)
    cpu_s_per_image: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    # How long it took until the contestant was ready.
    start_s: float = 0.0
    # Pictures whose class differs from raw's of the same round.
    other_labels: list[int] = field(default_factory=list)

    def ratio_to(self, other: "Turns") -> float:
        """Give the median of the ratios of the rounds."""
        return median(ratios(self.images_per_s, other.images_per_s))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide round by round."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def untuned_raw() -> Contestant:
    """Take a plan that is good on most machines, where there is no time to try others."""
    plan = {"decoders": os.cpu_count() or 1, "cores": 1, "batch": 32}
    return Contestant(RAW, "raw", turns={"": plan})


def tuned_raw(work: Work) -> Contestant:
    """Find the best plan of the bare loop on this machine, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.contestants.raw", str(work.folder), "tune"]
    environ = {**os.environ, **COMPUTING}
    tuned = subprocess.run(  # noqa: S603  # our own command line
        command, env=environ, check=True, stdout=subprocess.PIPE
    )
    plan: dict[str, Any] = json.loads(tuned.stdout)
    print(f"raw: the best plan is {plan}", flush=True)
    return Contestant(RAW, "raw", turns={"": plan})


def hold(work: Work, contestants: Sequence[Contestant], rounds: int) -> dict[str, Turns]:
    """Run the rounds; gives what was measured, by the lines of the table. The first sets labels."""
    table = {each.name + turn: Turns() for each in contestants for turn in each.turns}
    with ExitStack() as started:
        ready = [started.enter_context(_started(work, each, table)) for each in contestants]
        for number in range(rounds):
            expected: list[int] = []
            for each, process in zip(contestants, ready, strict=True):
                for line, labels in _take_turns(each, process, table):
                    expected = expected or labels
                    others = sum(one != other for one, other in zip(labels, expected, strict=True))
                    table[line].other_labels.append(others)
                    rate = table[line].images_per_s[-1]
                    print(f"round {number + 1}: {line}: {rate:.0f} images/s", flush=True)
    return table


def _take_turns(
    contestant: Contestant, process: "subprocess.Popen[bytes]", table: Mapping[str, Turns]
) -> Iterator[tuple[str, list[int]]]:
    """Give a contestant its turns; yields (line of the table, labels)."""
    thaw(process.pid)
    for suffix, options in contestant.turns.items():
        memory, before = PeakMemory(process.pid), cpu_seconds(process.pid)
        answer = _ask(process, options)
        labels: list[int] = answer["labels"]
        turns = table[contestant.name + suffix]
        turns.peak_bytes.append(memory.end())
        turns.cpu_s_per_image.append((cpu_seconds(process.pid) - before) / len(labels))
        turns.images_per_s.append(len(labels) / answer["seconds"])
        yield contestant.name + suffix, labels
    freeze(process.pid)


@contextmanager
def _started(
    work: Work, contestant: Contestant, table: Mapping[str, Turns]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a contestant until the block ends; gives it once it is ready, and stands still."""
    module = f"benchmarks.contestants.{contestant.module}"
    log = BUILD / "bench" / f"{contestant.module}.log"
    begun = time.perf_counter()
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  # our own command line
            [str(contestant.python), "-m", module, str(work.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **contestant.environ, "PYTHONPATH": str(Path.cwd())},
        )
        try:
            _read(process)
            for suffix in contestant.turns:
                table[contestant.name + suffix].start_s = time.perf_counter() - begun
            freeze(process.pid)
            yield process
        finally:
            thaw(process.pid)
            assert process.stdin is not None
            process.stdin.close()
            process.wait(120)


def _ask(process: "subprocess.Popen[bytes]", options: Mapping[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(json.dumps(options).encode() + b"\n")
    process.stdin.flush()
    return _read(process)


def _read(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended; its log is in {BUILD / 'bench'}.")
    read: dict[str, Any] = json.loads(line)
    return read
