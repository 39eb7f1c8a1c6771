"""Every example of docs/models.md works as it stands: each block of code, each row's command."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from jobs.base.database import Database
from jobs.tenants.keys import create_key
from pixelmill.cli.commands import app
from pixelmill.stack.local_stack import DATABASE
from tests.documents import Example, commands_in_sentences, examples, fences
from tests.e2e.models.models_document import ELSEWHERE, EXCUSED, Scene
from tests.e2e.stacks import RunningStack
from tests.hub_server import fake_hub

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "models.md").read_text()
EXAMPLES = examples(DOCUMENT)


@pytest.fixture(scope="module")
def scene(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A reader with models of their own, whose names and numbers are those of the document."""
    database = Database(f"sqlite:///{stack.data}/{DATABASE}")
    key = create_key(database, "reader", admin=True).key
    database.close()
    with fake_hub() as hub:
        yield Scene(tmp_path_factory.mktemp("reader"), stack, key, hub)


def run(scene: Scene, *command: str) -> str:
    done = subprocess.run(
        command, cwd=scene.folder, env=scene.environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr + scene.stack.log()[-2000:]
    return done.stdout


def run_bash(scene: Scene, text: str) -> None:
    """Run a block line by line: each prints what it has done."""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = run(scene, "bash", "-c", line.replace("curl ", "curl --silent --fail "))
        assert found, f"{line!r} prints nothing"
        if "pixelmill push" in line or "pixelmill pull" in line:
            name = found.split()[-1]
            with scene.client() as client:
                assert client.model(name).state == "ready"


def run_python(scene: Scene, text: str) -> None:
    assert run(scene, sys.executable, "-c", text)


RUNNERS: dict[str, Callable[[Scene, str], Any]] = {
    "bash": run_bash,
    "python": run_python,
    "json": lambda _, text: json.loads(text),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.place)
def test_an_example_works(scene: Scene, example: Example) -> None:
    if example.text.strip() in EXCUSED:
        pytest.skip(EXCUSED[example.text.strip()])
    if example.place.rpartition(" ")[0] in ELSEWHERE:
        return  # run there, from this very document
    assert example.language in RUNNERS, f"nothing runs {example.language!r} of {example.place}"
    RUNNERS[example.language](scene, scene.ready(example))


def test_sections_that_are_run_elsewhere_are_read_there() -> None:
    headings = {each.place.rpartition(" ")[0] for each in EXAMPLES}
    assert ELSEWHERE.keys() <= headings
    for path in ELSEWHERE.values():
        assert "models.md" in (ROOT / path).read_text()


def test_no_block_and_no_command_of_a_table_is_left_out() -> None:
    in_tables = [line for line in DOCUMENT.splitlines() if line.startswith("|")]
    commands = sum(line.count("`pixelmill ") for line in in_tables)
    assert len(EXAMPLES) == fences(DOCUMENT) + commands
    assert commands > 5
    assert EXCUSED.keys() <= {each.text.strip() for each in EXAMPLES}


@pytest.mark.parametrize("command", commands_in_sentences(DOCUMENT))
def test_a_command_in_a_sentence_is_one_with_such_options(command: str) -> None:
    _, name, *words = shlex.split(command)
    known: Any = typer.main.get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    assert known is not None, command
    options = {each for parameter in known.params for each in parameter.opts}
    for word in words:
        assert not word.startswith("-") or word.partition("=")[0] in options, f"{command}: {word}"


def test_every_make_target_of_the_document_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)", DOCUMENT)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
