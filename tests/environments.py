"""Programs of others that are too large for our environment: each has one of its own, in build/.

pip or npm makes it when a proof first asks for it. Where they cannot, the proof is left out.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "build" / "environments"


def python_with(*packages: str) -> Path:
    """Give the interpreter of an environment with these packages; skips the test without them."""
    folder = FOLDER / packages[0].partition("=")[0]
    python, done = folder / "bin" / "python", folder / "made-of"
    if not _is_made(done, packages):
        _make(done, packages, [sys.executable, "-m", "venv", str(folder)],
              [str(python), "-m", "pip", "install", "--quiet", *packages])  # fmt: skip
    return python


def node_with(*packages: str) -> Path:
    """Give the folder of commands of an environment of Node; skips the test without them."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = FOLDER / packages[0].partition("@")[0]
    done = folder / "made-of"
    if not _is_made(done, packages):
        _make(done, packages, [npm, "install", "--silent", "--prefix", str(folder), *packages])
    return folder / "node_modules" / ".bin"


def run(*command: str | Path, folder: Path) -> str:
    """Run a program in a folder; gives what it printed, and fails with that if it fails."""
    done = subprocess.run(
        [str(each) for each in command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _is_made(done: Path, packages: tuple[str, ...]) -> bool:
    return done.exists() and done.read_text().split() == list(packages)


def _make(done: Path, packages: tuple[str, ...], *commands: list[str]) -> None:
    done.parent.mkdir(parents=True, exist_ok=True)
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip(f"{packages[0]} cannot be installed: {made.stderr.strip()[-300:]}")
    done.write_text(" ".join(packages))
