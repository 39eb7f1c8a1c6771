"""The list of decisions, in their order, by their own headings."""

from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "docs" / "decisions"

_INTRODUCTION = """\
# Decisions

Why things are as they are, where that was hard to decide: what was chosen, what was left, and what
would change the answer.
"""


def decisions_page() -> str:
    """Give the list."""
    files = sorted(_FOLDER.glob("[0-9]*.md"))
    lines = [f"- [{_heading(file)}]({file.name})" for file in files]
    return "\n".join([_INTRODUCTION, *lines])


def _heading(file: Path) -> str:
    return file.read_text("utf-8").splitlines()[0].removeprefix("# ").replace(". ", "\\. ", 1)
