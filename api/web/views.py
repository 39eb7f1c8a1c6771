"""What callers get to see of files and our own health, and lists of anything.

Times are whole seconds since 1970 (UTC).
"""

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

View = TypeVar("View", bound=BaseModel)


class Deleted(BaseModel):
    """A receipt: the thing and its bytes are gone."""

    id: str
    object: str
    deleted: Literal[True] = True


class Page(BaseModel, Generic[View]):
    """Some of many; `last_id` is the cursor for those that follow, as `after`."""

    object: Literal["list"] = "list"
    data: list[View]
    first_id: str | None
    last_id: str | None
    has_more: bool


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
