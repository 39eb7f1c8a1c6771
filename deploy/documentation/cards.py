"""The cards of the networks that are shipped, one below the other."""

import re
from pathlib import Path

_WEIGHTS = Path(__file__).parents[2] / "models" / "weights"

_INTRODUCTION = """\
# Cards of the shipped networks

What each was trained on, and what `make evaluate` measures. [Models](../models.md) has the others,
and how to bring your own.
"""


def cards_page() -> str:
    """Give the cards; their headings go one deeper."""
    cards = [file.read_text("utf-8") for file in sorted(_WEIGHTS.glob("*.md"))]
    deeper = [re.sub(r"^#", "##", card, flags=re.MULTILINE) for card in cards]
    return "\n".join([_INTRODUCTION, *deeper])
