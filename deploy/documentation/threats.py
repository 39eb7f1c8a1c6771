"""SECURITY.md, as the site has it: its links lead to pages, and to a decision's own."""

from pathlib import Path

_FILE = Path(__file__).parents[2] / "SECURITY.md"


def threats_page() -> str:
    """Give the page."""
    return _FILE.read_text("utf-8").replace("](docs/", "](../")
