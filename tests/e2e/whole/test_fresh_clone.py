"""A clone in a folder with any name: what the README has a new user type there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torchvision.models import mobilenet_v3_small

from models.pictures.data import heldout_digits, write_png_folder
from pixelmill.stack.stack import find_stack
from tests.e2e.stacks import wait_for

ROOT = Path(__file__).parents[3]
PACKAGES = ("pixelmill", "api", "workers", "models", "jobs", "migrations")
NAME = "new folder? 50% ü"
START_S = 180

# A busy machine starts the whole stack within the first test.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, and some images in `photos/` in it."""
    folder = tmp_path_factory.mktemp("home") / NAME
    leave = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=leave)
    images, labels = heldout_digits()
    write_png_folder(folder / "photos", images[:5], labels[:5])
    return folder


@pytest.fixture(scope="module")
def environ(clone: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if "PIXELMILL" not in key}
    return {**inherited, "PYTHONPATH": str(clone)}


@pytest.fixture(scope="module")
def stack(clone: Path, environ: dict[str, str]) -> Iterator[Path]:
    """The stack that `pixelmill up` starts in the clone; gives its data folder."""
    command = [sys.executable, "-m", "pixelmill", "up", "--cpu", "--port", "0"]
    data, log = clone / ".pixelmill", clone / "up.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=clone, env=environ, stdout=file, stderr=file)
    try:
        wait_for(lambda: process.poll() is not None or find_stack(data), START_S, "the stack")
        assert process.poll() is None, log.read_text()
        yield data
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def pixelmill(stack: Path, clone: Path, environ: dict[str, str]) -> Callable[..., str]:
    """Type a command in the clone; gives what it prints, and fails when it fails."""

    def typed(*words: str) -> str:
        command = [sys.executable, "-m", "pixelmill", *words]
        done = subprocess.run(
            command, cwd=clone, env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return typed


def test_a_new_user_gets_results_and_keys_in_a_folder_with_any_name(
    pixelmill: Callable[..., str], clone: Path
) -> None:
    job = pixelmill("submit", "photos/", "--model", "digits", "--wait").split()[0]
    assert job in pixelmill("jobs")
    rows = pixelmill("results", job, "--format", "jsonl").splitlines()
    assert len(rows) == 5
    pixelmill("results", job, "--format", "csv", "-o", "out.csv")
    assert len((clone / "out.csv").read_text().splitlines()) == 6
    made = pixelmill("keys", "create", "--tenant", "me")
    assert "pm_live_" in made
    key_id = re.search(r"key_id\s+(\w+)", made)[1]
    assert f"{key_id}  active" in pixelmill("keys", "list")
    pixelmill("keys", "revoke", key_id)
    assert f"{key_id}  revoked" in pixelmill("keys", "list")
    weights = clone / "weights? 50% ü.pth"
    torch.save(mobilenet_v3_small(weights=None).state_dict(), weights)
    network = "torchvision/mobilenet_v3_small"
    assert f"{network}@1" in pixelmill("register", network, "--weights", weights.name)
    models = pixelmill("models")
    assert "digits@1" in models
    assert f"{network}@1" in models


def test_nothing_is_laid_beside_the_folder(stack: Path, clone: Path) -> None:
    assert (stack / "pixelmill.db").is_file()
    assert [path.name for path in clone.parent.iterdir()] == [NAME]
