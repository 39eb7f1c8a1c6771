"""Rows as JSON, an object each: what pages, streams and typed columns are made of."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from jobs.forms.export import model_of
from jobs.results.segments import Row, to_json
from jobs.tables import Job


def rows_json(job: Job, rows: Iterable[Row]) -> Iterator[str]:
    """Write each row as an object of JSON, the `ResultItem` of the API.

    Text from text: a stream has millions of rows, and their predictions lie in the segments as they
    are to be shown.
    """
    model = to_json(model_of(job))
    for row in rows:
        error = row.error and to_json(asdict(row.error))
        warnings = to_json([asdict(each) for each in row.warnings]) if row.warnings else "[]"
        yield (
            f'{{"index":{row.index},"custom_id":{to_json(row.custom_id)},'
            f'"status":"{row.status!s}","model":{model},'
            f'"input_sha256":{to_json(row.input_sha256)},"attempts":{row.attempts},'
            f'"predictions":{row.predictions_json or "null"},"error":{error or "null"},'
            f'"warnings":{warnings},"width":{_number(row.width)},"height":{_number(row.height)},'
            f'"fps":{_number(row.fps)},"duration_ms":{_number(row.duration_ms)},'
            f'"metadata":{row.metadata_json or "null"},"input_url":{to_json(row.input_url)}}}'
        )


def _number(value: float | None) -> str:
    return "null" if value is None else to_json(value)
