"""Lines of JSON, one an item: what pages have, as one stream."""

from collections.abc import Iterator

from jobs.forms.export import Export, chunked
from jobs.forms.lines import rows_json


def write(export: Export) -> Iterator[bytes]:
    """Write a row a line."""
    return chunked(f"{row}\n" for row in rows_json(export.job, export.rows()))
