"""What is not said of a body's members is told in words, and never as `default`.

Generators of clients take a member with a default for one that is always there, and then a caller
would have to send all of them (openapi-typescript, `--default-non-nullable`, as it is by default).
"""

import json
from collections.abc import Iterator
from typing import Any

Json = Any


def tell_defaults(spec: dict[str, Any]) -> None:
    """Move the defaults of all that is sent in bodies into descriptions, in place."""
    schemas = spec["components"]["schemas"]
    bodies = [
        content["schema"]
        for operations in spec["paths"].values()
        for operation in operations.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    for name in _reached(bodies, schemas):
        for member in schemas[name].get("properties", {}).values():
            _tell(member)


def _reached(values: list[Json], schemas: dict[str, Json]) -> set[str]:
    """Give the names of the schemas that these refer to, and those refer to in turn."""
    found: set[str] = set()
    waiting = [name for value in values for name in _references(value)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref.rpartition("/")[2]
        for each in value.values():
            yield from _references(each)


def _tell(member: Json) -> None:
    default = member.pop("default", None)
    if default in (None, "", [], {}):
        return
    text = member.get("description", "").rstrip()
    words = f"`{default if isinstance(default, str) else json.dumps(default)}` if left out."
    member["description"] = f"{text}{'' if not text or text.endswith('.') else '.'} {words}".strip()
