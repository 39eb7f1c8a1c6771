"""Stub."""

from pathlib import Path
from typing import Any


def read_folder(path: Path) -> tuple[Path, dict[str, Any]]:
    """Stub."""
    raise NotImplementedError
