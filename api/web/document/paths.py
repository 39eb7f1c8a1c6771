"""What may stand in an address, where a name or a number is asked for."""

from collections.abc import Mapping
from typing import Any

# By the name of a part of a path.
_PATTERNS: Mapping[str, str] = {"alias": "^[a-z][a-z0-9_-]{0,63}$"}


def tell_paths(spec: dict[str, Any]) -> None:
    """Say of the parts of paths what they look like, in place."""
    for operations in spec["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in _PATTERNS:
                    parameter["schema"]["pattern"] = _PATTERNS[parameter["name"]]
