"""Every example of the documents is run by a test, or says why not; a new one has to do either.

A document is a row of `DOCUMENTS`: the test that runs it, and which of its blocks, by their place
(heading and number below it). What runs all of a document goes through its blocks by itself.
"""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from pixelmill.cli.commands import app
from tests.documents import commands_in_sentences, examples, fences

ROOT = Path(__file__).parents[2]
DOCUMENTS_WITH_BLOCKS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/**/*.md")]
    if fences(path.read_text())
)
ALL: Collection[str] = ()


@dataclass(frozen=True)
class Run:
    """Who runs a document: these of its blocks, or all but those of which it is said why not."""

    by: str = ""
    blocks: Collection[str] = ALL
    but: Mapping[str, str] = field(default_factory=dict)


DOCKER = "needs Docker; tests/e2e/whole/test_compose.py plays docker-compose.yml without it"
KUBERNETES = "needs a cluster; tests/contract/test_kubernetes.py holds the files against schemas"
PAGES = "tests/e2e/documents/test_examples.py"

DOCUMENTS: dict[str, Run] = {
    "ARCHITECTURE.md": Run(
        but={
            "The house 1": "a list; tests/contract/test_layout.py holds the layout",
            "The way of one image 1": "a drawing",
            "States 1": "a drawing",
        }
    ),
    "CONTRIBUTING.md": Run(
        but={"Set up, and the gate 1": "`.ci/run` runs these; the targets are looked for here"},
    ),
    "README.md": Run(
        "tests/e2e/whole/test_readme.py",
        ("Try it 2", "Run it 2", "Run it 3", "Run it 4", "Networks 1"),
        {
            "Pixelmill 1": "a drawing",
            "Try it 1": "tests/e2e/whole/test_fresh_clone.py runs the demonstration",
            "Try it 3": "these tests themselves",
            "What it takes and gives 1": "tests/e2e/documents/test_examples.py holds it against a "
            "real row",
            "Run it 1": "tests/e2e/stacks.py starts every stack of these tests so",
        },
    ),
    "docs/buckets.md": Run("tests/e2e/test_buckets.py"),
    "docs/containers.md": Run(
        but={"Passwords 1": DOCKER, "From an installation with one user 1": DOCKER},
    ),
    "docs/dashboard.md": Run(PAGES),
    "docs/events.md": Run(
        "tests/e2e/test_events.py",
        (
            "Events 1",
            "In Python 1",
            "In Python 2",
            "In a browser, or Node 1",
            "In a browser, or Node 2",
        ),
        {"Events 2": "what the command above it prints, shortened"},
    ),
    "docs/films.md": Run(PAGES),
    "docs/inputs-and-results.md": Run(PAGES),
    "docs/kubernetes.md": Run(
        but={
            "Your own kustomization 1": KUBERNETES,
            "Your own kustomization 2": KUBERNETES,
            "Install, and every new version (*needs a cluster*) 1": KUBERNETES,
        }
    ),
    "docs/metrics.md": Run(
        "tests/e2e/test_operation.py",
        ("Where they are 3",),
        {"Where they are 2": "tests/e2e/test_operation.py starts its stack with these"},
    ),
    "docs/models.md": Run("tests/e2e/models/test_models_document.py"),
    "docs/openai.md": Run("tests/e2e/results/test_openai.py"),
    "docs/operations.md": Run(
        PAGES,
        ("Drain a worker or a machine 1", "Drain a worker or a machine 2"),
        {
            "Is it healthy? 1": "faults of several installations; the unit tests of jobs.checkup "
            "make each of them",
            "SQLite: back up 1": "tests/integration/deploy/test_backup.py runs it",
            "SQLite: restore 1": "tests/integration/deploy/test_backup.py runs it",
            "PostgreSQL: back up 1": "tests/integration/deploy/test_backup.py runs it",
            "PostgreSQL: restore 1": "tests/integration/deploy/test_backup.py runs it",
            "Prometheus and Grafana 1": DOCKER,
        },
    ),
    "docs/photos.md": Run(PAGES),
    "docs/python.md": Run("tests/e2e/results/test_python_document.py"),
    "docs/quickstart.md": Run(
        PAGES, but={"Start it 1": "tests/e2e/whole/test_fresh_clone.py starts from a clone so"}
    ),
    "docs/results.md": Run("tests/e2e/results/test_results_document.py"),
    "docs/scaling.md": Run(
        PAGES,
        but={"More on one machine 1": "starts stacks; tests/e2e/test_operation.py has two workers"},
    ),
    "docs/scheduling.md": Run(
        but={
            "What the databases do 1": "a plan that PostgreSQL printed",
            "What the databases do 2": "a plan that SQLite printed",
        },
    ),
    "docs/systemd.md": Run(
        but={"systemd 1": "needs systemd; tests/contract/test_systemd.py reads every unit"}
    ),
    "docs/traces.md": Run(
        but={
            "Turn them on 1": "test_slow_places.py has a collector of its own",
            "What is in one 1": "a drawing, which test_slow_places.py holds spans against",
        }
    ),
    "docs/uploads.md": Run("tests/integration/api/uploads/test_document.py"),
    "docs/watches.md": Run("tests/e2e/test_watches.py"),
    "docs/webhooks.md": Run(
        "tests/e2e/test_webhook_endpoints.py",
        (
            "Endpoints 1",
            "Endpoints 2",
            "Checking a signature 1",
            "Checking a signature 2",
            "A new secret 1",
        ),
        {"Webhooks 1": "tests/e2e/documents/test_examples.py holds it against a real delivery"},
    ),
    "examples/own_model/README.md": Run("tests/e2e/models/test_own_model.py"),
}  # fmt: skip


def places(document: str) -> list[str]:
    return [each.place for each in examples((ROOT / document).read_text()) if is_block(each.text)]


def is_block(text: str) -> bool:
    """Say whether it stands in a block, and is no command in a table's cell."""
    return text.endswith("\n")


def test_every_document_with_examples_has_its_row() -> None:
    assert list(DOCUMENTS) == sorted(DOCUMENTS)
    assert set(DOCUMENTS) == set(DOCUMENTS_WITH_BLOCKS)


@pytest.mark.parametrize(("document", "row"), DOCUMENTS.items(), ids=list(DOCUMENTS))
def test_every_block_is_run_or_says_why_not(document: str, row: Run) -> None:
    found = places(document)
    assert len(found) == fences((ROOT / document).read_text()), "a block that is not read as one"
    assert row.but.keys() <= set(found), "it says of a block that is not there why it is not run"
    if row.blocks is not ALL:
        assert set(found) - row.but.keys() == set(row.blocks)
    assert all(reason for reason in row.but.values())


@pytest.mark.parametrize(("document", "row"), DOCUMENTS.items(), ids=list(DOCUMENTS))
def test_who_runs_it_is_there_and_reads_it(document: str, row: Run) -> None:
    for path in re.findall(r"\btests/[\w/]+\.py", f"{row.by} {row.but}"):
        assert (ROOT / path).is_file(), path
    if set(places(document)) - row.but.keys():
        assert Path(document).name in (ROOT / row.by).read_text()


def commands() -> list[str]:
    """Give every `pixelmill …` that stands in a sentence or in a table of a document."""
    found: dict[str, None] = {}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if path.name == "CHANGELOG.md":
            continue  # as it was then
        text = path.read_text()
        listed = [each.text for each in examples(text) if not is_block(each.text)]
        found |= dict.fromkeys([*commands_in_sentences(text), *listed])
    return list(found)


@pytest.mark.parametrize("command", commands())
def test_a_command_in_a_sentence_or_a_table_exists_with_its_options(command: str) -> None:
    known: Any = typer.main.get_command(app)
    # `a|b` in an overview stands for either, and what comes after a pipe is another program's.
    _, *words = shlex.split(command.replace("\\|", "|").partition(" | ")[0])
    while words and hasattr(known, "commands"):
        word = words.pop(0)
        if word.startswith("-"):
            words.insert(0, word)
            break
        names = word.split("|")
        assert set(names) <= set(known.commands) or word in ("…", "..."), f"{command}: {word}"
        if word in ("…", "..."):
            return
        known = known.commands[names[0]]
    options = {each for parameter in known.params for each in parameter.opts} | {"--help"}
    if known.context_settings.get("ignore_unknown_options"):
        return  # another program reads them
    for word in words:
        assert not re.match(r"--?[a-z]", word) or word.partition("=")[0] in options, command


def test_every_make_target_of_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    texts = [path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]]
    named = {name for text in texts for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)}
    assert len(named) > 10
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.M)] == []
