"""What whoever has a link to a job is shown of an item: its answer, and nothing of where it lies.

Messages name buckets, keys and hosts, and an address may be a secret in itself. So this says what
is shown, and not what is hidden: a message that is new tomorrow is left out as well.
"""

from dataclasses import replace

from api.page.reasons import remedy
from jobs.results.segments import Row


def linked(row: Row) -> Row:
    """Give a row without its address and what came beside it; its error with a fixed sentence.

    An item that is named by its address is named by its index.
    """
    error = row.error
    if error is not None:
        error = replace(error, message=remedy(error.code, retryable=error.retryable))
    name = str(row.index) if "://" in row.custom_id else row.custom_id
    return replace(row, custom_id=name, error=error, input_url=None, metadata_json=None)
