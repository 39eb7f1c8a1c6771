"""Files of a folder, read whole and within bounds."""

import json
from pathlib import Path
from typing import Any

from pixelmill.wire.errors import InvalidInput

_MOST_BYTES = 4 * 2**20


def read_json(path: Path, most_bytes: int = _MOST_BYTES) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file. Raises InvalidInput."""
    data = read_bytes(path, most_bytes)
    if data is None:
        return None
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise InvalidInput(f"{path} cannot be read: {err}.") from err
    if not isinstance(read, dict):
        raise InvalidInput(f"{path} must hold a JSON object.")
    return read


def read_bytes(path: Path, most_bytes: int) -> bytes | None:
    """Read a file; None where there is none. Raises InvalidInput for one that is too large."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise InvalidInput(f"{path} has {size:,} bytes; at most {most_bytes:,} are read.")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as err:
        raise InvalidInput(f"{path} cannot be read: {err}.") from err
