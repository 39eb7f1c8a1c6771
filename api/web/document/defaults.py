"""Members that may be left out but not be null: pydantic writes `default: null` for them."""

from typing import Any


def drop_null_defaults(value: Any) -> None:
    """Take out, in place, each default of null whose own schema does not allow null."""
    if isinstance(value, list):
        for each in value:
            drop_null_defaults(each)
    if not isinstance(value, dict):
        return
    if value.get("default", ...) is None and not _allows_null(value):
        del value["default"]
    for each in value.values():
        drop_null_defaults(each)


def _allows_null(schema: dict[str, Any]) -> bool:
    kinds = [each.get("type") for each in (schema, *schema.get("anyOf", ()))]
    return "null" in kinds or kinds == [None]
