"""Child processes whose fresh memory carries a pattern that we choose."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# glibc fills what it hands out with the complement of this byte, and what it takes back with it.
PERTURBATIONS = ("85", "170")


def hashes_in_children(kind: str, *arguments: str | Path) -> list[dict[str, str]]:
    """Run `tests.odd.hashes` once a perturbation, at the same time; gives name → hash of each."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.odd.hashes", kind, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "MALLOC_PERTURB_": value, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for value in PERTURBATIONS
    ]
    found = []
    for child in children:
        out, err = child.communicate(timeout=240)
        assert child.returncode == 0, err[-2000:]
        found.append(dict(line.split("\t") for line in out.splitlines()))
    return found
