"""The list of hostile model files in the documents is the table that the tests go through."""

import re
from pathlib import Path

from tests.integration.workers.walls.hostile_models import TABLE

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def test_every_hostile_file_is_listed_and_every_listed_one_is_tested() -> None:
    section = PAGE.read_text().split("## Hostile files")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    listed = re.findall(r"`([^`]+)`", "\n".join(rows))
    assert len(listed) == len(set(listed))
    assert set(listed) == set(TABLE)
    assert len(TABLE) >= 40
