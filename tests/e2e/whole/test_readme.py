"""What the README tells a reader to type works as it stands."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stacks import RunningStack
from tests.model_files.foreign_files import save_timm, save_vit, yolo_onnx

README = (Path(__file__).parents[3] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, digits_folder: Path) -> Path:
    """A folder with `photos/` in it, as the README's reader has one."""
    (tmp_path / "photos").mkdir()
    for file in sorted(digits_folder.iterdir())[:5]:
        shutil.copy(file, tmp_path / "photos")
    return tmp_path


@pytest.fixture
def environ(stack: RunningStack) -> dict[str, str]:
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }


def test_the_python_example_runs(environ: dict[str, str], folder: Path) -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'confidence'") == 15


def test_the_http_examples_run(environ: dict[str, str], folder: Path) -> None:
    (example,) = [block for block in blocks("bash") if "curl" in block]
    quiet = example.replace("curl ", "curl --silent --show-error --fail ")
    done = subprocess.run(
        ["bash", "-e", "-c", quiet], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert '"object":"job"' in done.stdout.replace(" ", "")
    assert '"succeeded"' in done.stdout


def test_the_command_line_examples_run(environ: dict[str, str], folder: Path) -> None:
    (example,) = [block for block in blocks("bash") if "pixelmill status" in block]
    submit, status, results, models = example.strip().splitlines()
    run = {"cwd": folder, "env": environ, "capture_output": True, "text": True}
    submitted = subprocess.run(["bash", "-c", submit], **run)
    assert submitted.returncode == 0, submitted.stderr
    job = submitted.stdout.split()[0]
    for command in (status, results, models):
        done = subprocess.run(["bash", "-c", command.replace("JOB", job)], **run)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_own_photos_are_labelled_by_the_third_command(
    environ: dict[str, str], folder: Path
) -> None:
    (example,) = [block for block in blocks("bash") if "labels.csv" in block]
    setup, up, submit = example.strip().splitlines()
    assert (setup, up) == ("make setup", ".venv/bin/pixelmill up")
    command = submit.removeprefix(".venv/bin/")
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((folder / "labels.csv").open(newline="")))
    assert [row["status"] for row in rows] == ["succeeded"] * 5


def test_what_the_readme_pushes_can_be_pushed(environ: dict[str, str], folder: Path) -> None:
    (example,) = [block for block in blocks("bash") if "pixelmill push" in block]
    pushes = [line for line in example.splitlines() if "pixelmill push" in line]
    assert len(pushes) == 3
    (folder / "best.onnx").write_bytes(yolo_onnx(["bolt", "nut"]))
    # The same kind of network as the README's, of a fifth of the size.
    save_timm(folder / "birds.safetensors", "convnext_atto", 3)
    (folder / "birds.txt").write_text("robin\nwren\nowl\n")
    save_vit(folder / "vit-base")
    for line in pushes:
        command = line.replace("convnext_tiny", "convnext_atto")
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        name = done.stdout.strip()
        job = subprocess.run(
            ["pixelmill", "submit", "photos", "-m", name, "-o", f"{name.partition('/')[2]}.csv"],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
        )
        assert job.returncode == 0, job.stderr


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (Path(__file__).parents[3] / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
