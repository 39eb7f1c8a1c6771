"""Every generated page by its path below docs/."""

from collections.abc import Callable
from pathlib import Path

from deploy.documentation.calls import calls_page
from deploy.documentation.cards import cards_page
from deploy.documentation.configuration import configuration_page
from deploy.documentation.decisions import decisions_page
from deploy.documentation.errors import errors_page
from deploy.documentation.threats import threats_page

DOCS = Path(__file__).parents[2] / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "reference/calls.md": calls_page,
    "reference/cards.md": cards_page,
    "reference/configuration.md": configuration_page,
    "reference/errors.md": errors_page,
    "reference/threats.md": threats_page,
    "decisions/index.md": decisions_page,
}


def whole_page(page: Callable[[], str]) -> str:
    """Give a page's text, with a first line for whoever opens it to change it."""
    made_of = page.__module__.replace(".", "/")
    return f"<!-- Made by `make references` ({made_of}.py): do not edit. -->\n\n{page().strip()}\n"
