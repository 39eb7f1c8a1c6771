"""Running one part: its output is shown and kept, its figures picked out of it."""

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.deep.parts import Part

ROOT = Path(__file__).parents[2]
FOLDER = Path("build/deep")
_MOST_FIGURES = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a part came to; `status` is its exit code, `options` what was asked of it beside."""

    part: str
    options: str
    day: str
    commit: str
    minutes: float
    status: int
    figures: list[str]


def run(part: Part, options: Sequence[str], root: Path = ROOT) -> Outcome:
    """Run a part to its end, and keep what came of it for the report."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    since, figures = time.monotonic(), list[str]()
    with subprocess.Popen(
        [sys.executable, *part.command, *options],
        cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **part.variables},
    ) as process:  # fmt: skip
        figures = [line for line in _told(process, root / FOLDER / f"{part.name}.log")
                   if part.figures.search(line)]  # fmt: skip
    outcome = Outcome(
        part.name,
        " ".join(options),
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        _commit(root),
        round((time.monotonic() - since) / 60, 1),
        process.returncode,
        figures[-_MOST_FIGURES:],
    )
    (root / FOLDER / f"{part.name}.json").write_text(json.dumps(asdict(outcome)))
    return outcome


def last_outcome(part: Part, root: Path = ROOT) -> Outcome | None:
    """Give what a part came to when it was last run here; None when it never was."""
    path = root / FOLDER / f"{part.name}.json"
    return Outcome(**json.loads(path.read_text())) if path.exists() else None


def _told(process: "subprocess.Popen[str]", log: Path) -> Iterator[str]:
    assert process.stdout is not None
    with log.open("w") as kept:
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
            yield line.rstrip()


def _commit(root: Path) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.strip()
