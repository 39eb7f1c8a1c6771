"""What the two files of a finished job hold: lines of OpenAI's Batch API, made while they are read.

An item that succeeded is a response, whose body is its result as all other forms have it. One that
did not is an error, for no request was made: `response` is null, as OpenAI has it of requests that
expired.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice, tee

from api.current import ground
from jobs.aftercare.output_files import OutputFile, Part
from jobs.base.states import ItemStatus
from jobs.forms.export import begun, chunked
from jobs.forms.lines import rows_json
from jobs.results.rows import read_rows
from jobs.results.segments import Row, to_json
from jobs.tables import Job

# In OpenAI's words, of items that never ran.
_NEVER_RAN = {
    ItemStatus.CANCELLED: ("batch_cancelled", "The job was cancelled before this item ran."),
    ItemStatus.EXPIRED: ("batch_expired", "The job expired before this item ran."),
}
_UNEXPLAINED = ("errored", "The item failed.")


def content_of(file: OutputFile) -> Iterator[bytes]:
    """Write a file, line by line; what can be told of as an error is raised before the first."""
    rows = (row for _, row in read_rows(ground(), file.job) if file.holds(row.status))
    write = responses if file.part is Part.OUTPUT else errors
    content = chunked(write(file.job, begun(rows)))
    return chain(list(islice(content, 1)), content)


def measure(file: OutputFile) -> tuple[int, str]:
    """Give a file's length in bytes and its SHA-256, for which it is written once to nowhere."""
    length, digest = 0, hashlib.sha256()
    for piece in content_of(file):
        length += len(piece)
        digest.update(piece)
    return length, digest.hexdigest()


def responses(job: Job, rows: Iterable[Row]) -> Iterator[str]:
    """Write items that succeeded, a line each."""
    number = _number_of(job)
    # Side by side: no more than one row is held.
    rows, same_rows = tee(rows)
    for row, body in zip(rows, rows_json(job, same_rows), strict=True):
        yield (
            f"{_head(number, row)}"
            f'"response":{{"status_code":200,"request_id":"req_{number}_{row.index}",'
            f'"body":{body}}},"error":null}}\n'
        )


def errors(job: Job, rows: Iterable[Row]) -> Iterator[str]:
    """Write items that did not succeed, a line each."""
    number = _number_of(job)
    for row in rows:
        code, message = _NEVER_RAN.get(row.status, _UNEXPLAINED)
        if row.error is not None:
            code, message = row.error.code, row.error.message
        told = to_json({"code": code, "message": message})
        yield f'{_head(number, row)}"response":null,"error":{told}}}\n'


def _number_of(job: Job) -> str:
    return job.id.removeprefix("job_")


def _head(number: str, row: Row) -> str:
    return f'{{"id":"batch_req_{number}_{row.index}","custom_id":{to_json(row.custom_id)},'
