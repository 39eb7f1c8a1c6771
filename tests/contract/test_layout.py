"""The layout holds: imports point down, torch stays where it belongs, names stay in step."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.hints import CPU, GPU, IO, POOLS, RUN_IO, RUN_SHARDS, SWEEP
from jobs.base.settings import Settings
from workers.launcher import command_of, slot_of, slots_for

ROOT = Path(__file__).parents[2]
PACKAGES = ("pixelmill", "api", "workers", "models", "jobs", "migrations")
LONGEST = 350
MOST_FILES = 14
LONGEST_OF_A_PACKAGE = 10

# Files as they came, and steps that are only ever added to: these are no rooms.
FULLER = {
    "migrations/versions",
    "tests/cases/media",
}
# Packages whose first lines draw how the data goes, or list what their files do.
DRAWN = {
    "jobs/archives",
    "models",
    "models/media/films",
    "models/training",
    "workers/egress",
    "workers/engine",
    "workers/walls",
}

# What runs from the image without torch: see docker-compose.yml.
TORCH_FREE = (
    "api",
    "jobs",
    "pixelmill",
    "migrations",
    "workers.launcher",
    "workers.app",
    "workers.errands.errands",
    "workers.register",
)

# The rooms that do something when they are imported are left out.
IMPORT_ALL_ROOMS = """
import importlib, pkgutil, sys

package = importlib.import_module(sys.argv[1])
for room in pkgutil.walk_packages(getattr(package, "__path__", ()), package.__name__ + "."):
    if room.name not in ("api.wsgi", "pixelmill.__main__", "migrations.env"):
        importlib.import_module(room.name)
print(sorted({"torch", "torchvision", "cv2"} & set(sys.modules)))
"""

BAD_IMPORTS = [
    ("jobs.base", "import api.app"),
    ("jobs.base", "import models.catalog"),
    ("jobs.base", "import cv2"),
    ("models.records", "import jobs.base.ids"),
    ("models.records", "import workers.process"),
    ("api.web", "import workers.process"),
    ("api.web", "from torch import nn"),
    ("api.web", "import models.networks.digits"),
    ("workers.errands", "import api.app"),
    ("workers.errands", "import pixelmill.stack.roles"),
    ("pixelmill.wire", "import jobs.base.settings"),
    ("migrations", "import models.catalog"),
    ("migrations", "import workers.process"),
    ("jobs.base", "import migrations.upgrade"),
    ("models.records", "import pixelmill.stack.roles"),
    ("jobs.base", "import jobs.queue.shard_leases"),
    ("jobs.queue", "import jobs.intake.submission"),
    ("pixelmill.wire", "import pixelmill.cli.exits"),
    ("pixelmill.client", "import pixelmill.stack.stack"),
    ("models.media", "import models.runtime.registry"),
    ("api.bodies", "import api.web.parsing"),
    ("api.results", "import api.files.views"),
    ("workers.egress", "import workers.errands.delivery"),
    ("workers.engine.holding", "import workers.engine.shard"),
    ("models.onnx_models.examination", "import models.onnx_models.reading.shapes"),
    ("models.onnx_models.reading.heads", "import models.onnx_models.reading.recognising"),
]

# Columns that hold an object, and the rooms that own its shape: all others ask for what they want
# by a name of its own (`version.task`, `Requested.read(job.requested).model`).
SHAPES = {"record", "requested"}
THEIR_ROOMS = ("jobs/tables/", "jobs/versions/", "jobs/kinds/shadow.py")

# Of the machine that something was written on, or of where its packages came from. The brackets
# keep this file from finding itself.
FOREIGN = re.compile(
    r"[p]ypi\.org|pythonhoste[d]\.org|index[-]url|find[-]links|pytorch\.org/[w]hl"
    r"|docker[.]io|ghcr[.]io|nvcr[.]io|quay[.]io"
    r"|/[w]ork/|/opt/[p]ypi|/opt/[w]heels|/tmp/[p]m\b|/hom[e]/\w|/User[s]/\w"
)


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages of a folder, and on no others."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120
    )


def repository_files() -> Iterator[Path]:
    """Give every file that is committed, or would be by `git add --all`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            yield ROOT / name


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the packages, to plant things in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def test_imports_point_down(house: Path) -> None:
    checked = lint_imports(house)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(("package", "line"), BAD_IMPORTS)
def test_a_planted_bad_import_fails_the_check(house: Path, package: str, line: str) -> None:
    (house / package.replace(".", "/") / "planted.py").write_text(f"{line}\n")
    checked = lint_imports(house)
    assert checked.returncode == 1
    assert "BROKEN" in checked.stdout
    assert f"{package}.planted" in checked.stdout


@pytest.mark.parametrize("package", TORCH_FREE)
def test_what_runs_beside_the_networks_imports_neither_torch_nor_opencv(package: str) -> None:
    done = run_python(IMPORT_ALL_ROOMS, package)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_no_source_file_is_longer_than_it_should_be() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in repository_files()
        if path.suffix == ".py"
    }
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_folder_holds_more_files_than_one_looks_through() -> None:
    folders = Counter(str(path.parent.relative_to(ROOT)) for path in repository_files())
    named = {*PACKAGES, "benchmarks", "examples", "tests"}
    held = {name: count for name, count in folders.items() if name.split("/")[0] in named}
    assert len(held) > 50
    full = {name for name, count in held.items() if count > MOST_FILES}
    assert full == FULLER, "split it, or take it off the list"


def test_every_package_says_in_a_few_lines_what_it_is() -> None:
    packages = [path for path in repository_files() if path.name == "__init__.py"]
    said = {
        str(path.parent.relative_to(ROOT)): ast.get_docstring(ast.parse(path.read_text())) or ""
        for path in packages
    }
    assert len(said) > 50
    assert {name for name, text in said.items() if not text} == set()
    long = {name for name, text in said.items() if len(text.splitlines()) > LONGEST_OF_A_PACKAGE}
    assert long == DRAWN


def test_no_file_names_a_package_registry_or_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in repository_files()
        if b"\0" not in (content := path.read_bytes())
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert found == []


def test_the_launcher_serves_every_queue_that_hints_are_sent_to(tmp_path: Path) -> None:
    settings = Settings()
    slots = [
        *slots_for(settings, 1, [], tmp_path, "host-1"),
        *slots_for(settings, 1, ["0"], tmp_path, "host-1"),
        slot_of(IO, IO, 1, {}),
    ]
    served = [command[command.index("--queues") + 1] for command in map(command_of, slots)]
    assert served == [CPU, GPU, IO]
    assert set(served) == set(POOLS)


def test_the_workers_know_every_task_that_is_sent_and_no_other() -> None:
    done = run_python(
        "from workers.main import app\n"
        "print(*sorted(name for name in app.tasks if not name.startswith('celery.')))\n"
        "print(*sorted({route['queue'] for route in app.conf.task_routes.values()}))\n"
        "print(*sorted(entry['task'] for entry in app.conf.beat_schedule.values()))\n"
    )
    assert done.returncode == 0, done.stderr
    tasks, queues, timed = done.stdout.splitlines()
    assert tasks.split() == sorted([RUN_SHARDS, RUN_IO, SWEEP])
    assert set(queues.split()) <= set(POOLS)
    assert set(timed.split()) <= set(tasks.split())


def looks_into_shapes(source: str) -> Iterator[int]:
    """Give the lines that take a member, by its name, from an object of one of the columns."""
    for node in ast.walk(ast.parse(source)):
        held = None
        if isinstance(node, ast.Subscript):
            held = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = node.func.value if node.func.attr == "get" else None
        if isinstance(held, ast.Attribute) and held.attr in SHAPES:
            yield node.lineno


@pytest.mark.parametrize("line", ['version.record["task"]', 'job.requested.get("model", "")'])
def test_a_look_into_a_shape_is_found(line: str) -> None:
    assert list(looks_into_shapes(line))


def test_only_the_rooms_that_own_a_shape_look_into_it() -> None:
    found = [
        f"{name}:{line}"
        for package in ("api", "jobs", "workers")
        for path in sorted((ROOT / package).rglob("*.py"))
        if not (name := str(path.relative_to(ROOT))).startswith(THEIR_ROOMS)
        for line in looks_into_shapes(path.read_text())
    ]
    assert found == []


def test_task_and_queue_names_are_written_down_in_one_file() -> None:
    names = {RUN_SHARDS, RUN_IO, SWEEP}
    elsewhere = [
        f"{path.relative_to(ROOT)}: {node.value}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path != ROOT / "jobs" / "base" / "hints.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert elsewhere == []
