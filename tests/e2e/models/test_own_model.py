"""Modules of an operator's own, from the template to the answers of a job."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.pictures.data import encode
from tests.e2e.stacks import RunningStack, results_of, running_stack

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "examples" / "own_model"
DOCUMENT = (ROOT / "docs" / "models.md").read_text()
SECTION = DOCUMENT[DOCUMENT.index("### Modules of your own") :].partition("\n### ")[0]
# Of BGR no more: where a lamp is (top, left, height, width), and its colour as red, green, blue.
LAMPS = {
    "red.png": ((50, 100, 40, 60), (230, 30, 20)),
    "green.png": ((10, 20, 80, 30), (20, 240, 40)),
    "blue.png": ((120, 200, 60, 90), (10, 30, 250)),
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def python_path(*folders: Path) -> str:
    return os.pathsep.join(map(str, (*folders, ROOT)))


def run(command: str, folder: Path, environ: dict[str, str]) -> str:
    """Run a line of a document; gives what it printed."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    plain = {name: value for name, value in os.environ.items() if "PIXELMILL" not in name}
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env={**plain, "PATH": programs, **environ},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environ_of(stack: RunningStack) -> dict[str, str]:
    return {"PIXELMILL_URL": stack.info["url"], "PIXELMILL_API_KEY": stack.info["api_key"]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as its reader copies it, with pictures of lamps and one of none."""
    folder = tmp_path_factory.mktemp("elsewhere") / "own_model"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (folder / "photos").mkdir()
    for name, ((top, left, height, width), colour) in LAMPS.items():
        pixels = np.full((200, 300, 3), 40, np.uint8)
        pixels[top : top + height, left : left + width] = colour
        (folder / "photos" / name).write_bytes(encode(pixels, ".png"))
    (folder / "photos" / "none.png").write_bytes(encode(np.full((9, 9, 3), 128, np.uint8), ".png"))
    return folder


@pytest.fixture(scope="module")
def commands(template: Path) -> list[str]:
    """Every command of the template's README; the first block was run as it stands."""
    install, *others = "".join(blocks((template / "README.md").read_text(), "bash")).splitlines()
    assert install == "pip install -e .", "which PYTHONPATH stands for here"
    return others


@pytest.fixture(scope="module")
def stack(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with the template's module, the document's, and one that cannot be imported."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "modules").mkdir()
    (folder / "modules" / "documented.py").write_text(blocks(SECTION, "python")[0])
    (folder / "modules" / "broken.py").write_text("import no_such_library\n")
    environ = {
        "PIXELMILL_EXTENSIONS": "broken,own_model,documented",
        "PYTHONPATH": python_path(template / "src", folder / "modules"),
    }
    with running_stack(folder, **environ) as running:
        yield running


def test_the_templates_own_tests_pass_elsewhere(template: Path, commands: list[str]) -> None:
    make, test, *_ = commands
    assert test == "python -m pytest"
    environ = {"PYTHONPATH": python_path(template / "src")}
    run(make, template, environ)
    said = run(f"{test} -q -p no:cacheprovider", template, environ)
    assert "11 passed" in said


def test_the_template_runs_jobs_as_its_readme_says(
    stack: RunningStack, template: Path, commands: list[str]
) -> None:
    make, _, up, push, submit = commands
    assert up == "PIXELMILL_EXTENSIONS=own_model pixelmill up", "which the stack stands for here"
    run(make, template, {"PYTHONPATH": python_path(template / "src")})
    environ = {**environ_of(stack), "PYTHONPATH": str(ROOT)}
    assert run(push, template, environ) == "lamps@1\n"
    run(submit, template, environ)
    lines = (template / "lamps.ndjson").read_text().splitlines()
    rows = {row["custom_id"]: row for row in map(json.loads, lines)}
    assert rows.keys() == {*LAMPS, "none.png"}
    assert rows["none.png"]["predictions"] == []
    for name, ((top, left, height, width), _) in LAMPS.items():
        (lamp,) = rows[name]["predictions"]
        assert (lamp["class"], lamp["confidence"] > 0.9) == (name.removesuffix(".png"), True)
        wanted = {"x": left, "y": top, "width": width, "height": height}
        assert lamp["box"] == pytest.approx(wanted, abs=10)
    with stack.client() as client:
        (card,) = (each for each in client.models() if each.name == "lamps")
    assert card.raw["labels"] == ["red", "green", "blue"]
    assert card.raw["description"] == "Red, green and blue lamps, by their colour."


def write_shades(path: Path) -> None:
    """Write weights for the document's network: bright above the middle."""
    tensors = {"judge.weight": [[-20.0], [20.0]], "judge.bias": [10.0, -10.0]}
    save_file({name: torch.tensor(each) for name, each in tensors.items()}, path)


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name, value in (("day", 230), ("night", 20)):
        picture = encode(np.full((80, 100, 3), value, np.uint8), ".png")
        (tmp_path / "photos" / f"{name}.png").write_bytes(picture)
    shutil.copy(tmp_path / "photos" / "day.png", tmp_path / "photo.png")
    write_shades(tmp_path / "shades.safetensors")
    return tmp_path


def test_the_documents_module_holds_to_what_the_document_checks(shades: Path) -> None:
    module, check = blocks(SECTION, "python")
    (shades / "own_model.py").write_text(module)
    (shades / "check.py").write_text(check)
    said = run("python check.py", shades, {"PYTHONPATH": python_path(shades)})
    assert said.startswith("bright 0.9")


def test_the_documents_commands_run(stack: RunningStack, shades: Path) -> None:
    (block,) = blocks(SECTION, "bash")
    up, push, submit = block.splitlines()
    assert up == "PIXELMILL_EXTENSIONS=own_model pixelmill up", "which the stack stands for here"
    environ = {**environ_of(stack), "PYTHONPATH": str(ROOT)}
    assert run(push, shades, environ) == "shades@1\n"
    run(submit, shades, environ)
    assert (shades / "shades.csv").read_text().count("succeeded") == 2
    with stack.client() as client:
        job = client.wait(client.submit(shades / "photos", model="shades"), timeout=60)
        rows = results_of(client, job.id)
    found = {row["custom_id"]: row["predictions"][0]["class"] for row in rows}
    assert found == {"day.png": "bright", "night.png": "dark"}


def test_a_module_that_cannot_be_imported_is_one_line_and_costs_nobody_else(
    stack: RunningStack, digits_folder: Path
) -> None:
    lines = [line for line in stack.log().splitlines() if "extension_not_loaded" in line]
    said: dict[str, Any] = json.loads(lines[0].partition("|")[2])
    assert len(lines) == 1
    assert "'broken' cannot be imported: ModuleNotFoundError" in said["error"]
    with stack.client() as client:
        one = next(digits_folder.iterdir())
        assert client.wait(client.submit(one, model="digits"), timeout=60).succeeded
