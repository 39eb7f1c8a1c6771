"""What callers get to see of files and our own health, and lists of anything.

Times are whole seconds since 1970 (UTC).
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel


class Deleted(BaseModel):
    """A receipt: the thing and its bytes are gone."""

    id: str
    object: str
    deleted: Literal[True] = True


def listed(views: Sequence[BaseModel], has_more: bool = False) -> dict[str, Any]:
    """Wrap views as a list whose cursors are their own ids."""
    rows = [view.model_dump(mode="json") for view in views]
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }
