"""One database is enough here: forms are made of rows, wherever their jobs are kept."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "pixelmill.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"
