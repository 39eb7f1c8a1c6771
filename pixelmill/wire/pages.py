"""Lists, page by page: `{data, last_id, has_more}`, continued with `?after=<last_id>`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pixelmill.wire.errors import UnexpectedAnswer
from pixelmill.wire.transport import Call, Params, Transport, json_object


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor behind the last of them."""

    rows: list[Mapping[str, Any]]
    cursor: str | None


def pages(
    transport: Transport, path: str, params: Params, after: str | None = None
) -> Iterator[Page]:
    """Give the pages of a list that come after the cursor `after`, up to the end of the list."""
    while True:
        call = Call("GET", path, params={**params, "after": after}, repeatable=True)
        answer = json_object(transport.send(call))
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise UnexpectedAnswer(f"the answer of {path} has no list `data`.")
        # An empty page has no last row: the cursor stays where it was.
        cursor = answer.get("last_id") or after
        yield Page(rows, cursor)
        if not answer.get("has_more"):
            return
        if cursor == after:
            # Going on would read the same page for ever.
            raise UnexpectedAnswer(f"{path} says that there is more after {after!r}, and no cursor")
        after = cursor
