"""What the documents name is there: files, and where their links lead."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# What is named as it was then.
_PAST = {"CHANGELOG.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(
    "document",
    [each for each in DOCUMENTS if each.name not in _PAST],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_files_that_are_named_exist(document: Path) -> None:
    packages = "api|jobs|models|workers|pixelmill|migrations|tests|benchmarks|deploy|docs"
    named = re.findall(rf"`((?:{packages})/[\w./-]+)`", document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_head_stands_in_the_document_about_models() -> None:
    from models.onnx_models.reading.heads.table import HEADS

    text = (ROOT / "docs" / "models.md").read_text()
    rows = [f"| {each.outputs} | {each.task} | `{each.name}` |" for each in HEADS.values()]
    assert [row for row in rows if row not in text] == []


def test_the_way_of_one_image_is_read_in_twenty_five_files() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.split("### In twenty-five files\n")[1].split("\n### ")[0]
    steps = re.findall(r"^\d+\. \*\*(\w+)\*\*: (.+)$", section, re.MULTILINE)
    assert [name for name, _ in steps] == [
        "upload", "submit", "prepare", "claim", "decode", "batch", "infer", "segment", "commit",
        "results", "webhook",
    ]  # fmt: skip
    files = [file for _, named in steps for file in re.findall(r"`([^`]+)`", named)]
    assert len(files) == len(set(files)) <= 25
    assert [file for file in files if not (ROOT / file).is_file()] == []
