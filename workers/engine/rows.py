"""Rows of one shard: what is the same in all of them."""

from collections.abc import Sequence

from jobs.base.states import ItemStatus
from jobs.inputs.manifests import Item
from jobs.queue.scheduling import ShardLease
from jobs.results.segments import ItemError, Row
from workers.engine.holding.hold import Hold


def row_of(
    lease: ShardLease,
    index: int,
    item: Item,
    status: ItemStatus,
    *,
    sha256: str | None = None,
    predictions_json: str | None = None,
    error: ItemError | None = None,
    size: tuple[int, int] | None = None,
) -> Row:
    """Give the row of an item that was tried; `size` is (width, height) of its original."""
    row = Row(index, item.custom_id, status, sha256, lease.attempts, predictions_json, error)
    row.input_url = item.shown_url
    if size is not None:
        row.width, row.height = size
    return row


def rows_not_run(hold: Hold, items: Sequence[Item], first: int) -> list[Row]:
    """Give the rows of items that a cancel or the deadline kept from running."""
    status = hold.status_not_run()
    return [
        Row(index, item.custom_id, status, input_url=item.shown_url)
        for index, item in enumerate(items, start=first)
    ]
