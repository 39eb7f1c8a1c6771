"""A job's results, live: in the order of commits, by a cursor that loses and repeats nothing."""

import re
from collections.abc import Iterator
from itertools import chain, islice

from apiflask import APIBlueprint
from flask import Response

from api.current import ground, tenant_id
from api.results.compression import ROWS, compressed_answer
from api.results.forms.table import FORMS, PAGES, check_form, form_of
from api.results.rows import ResultPage, page_json
from api.results.schemas import ResultsQuery
from api.web.openapi import describe
from api.web.parsing import read_query
from jobs.base.errors import NotFound
from jobs.forms.export import Export, begun, task_and_labels
from jobs.queue.reading import get_job
from jobs.results.overlays import read_overlay
from jobs.results.rows import Cursor, extent_of, parse_cursor, read_page, read_rows
from jobs.results.segments import Row
from jobs.tables import Job
from models.catalog import prediction_of

results = APIBlueprint("results", __name__, tag="Results")

_ROWS_A_PAGE = 100
_MEDIA_TYPES = [form.media_type.partition(";")[0] for form in FORMS.values()]
_INDEX = re.compile(r"\d{1,9}", re.ASCII)


@results.get("/<job_id>/results")
@describe(
    results,
    {200: {"application/json": ResultPage, **dict.fromkeys(_MEDIA_TYPES, "binary")}},
    problems=(404, 422),
    query=ResultsQuery,
)
def get_results(job_id: str) -> Response:
    """Read the results that there are by now, while the job runs and afterwards.

    `json` gives pages: pass `last_id` as `after` to go on, also when a page was empty at the time.
    All other formats stream every row after `after` that is there when they begin, or the first
    `limit` of them: `ndjson`, `csv` and `parquet` of any job, `label-studio` where there are
    classes, `coco` and `geojson` where there are boxes or masks, `yolo` of boxes. What a job does
    not have is refused with those that it has.

    The header `Pixelmill-Rows` tells how many items a stream has (a CSV has one line more): whoever
    gets fewer has not got all, however well the stream seemed to end. `Accept-Encoding` may name
    zstd or gzip.
    """
    query = read_query(ResultsQuery)
    check_form(query.format)
    job = _find(job_id)
    after = Cursor() if query.after is None else parse_cursor(query.after)
    return _page(job, after, query) if query.format == PAGES else _stream(job, after, query)


@results.get("/<job_id>/results/<index>/overlay")
@describe(results, {200: {"image/jpeg": "binary"}}, problems=(404, 409))
def get_overlay(job_id: str, index: str) -> Response:
    """Show an item's image with its result drawn over it, of a job submitted with `overlays`.

    Of a video, at most 16 of its frames are shown in order, with their classes and times.
    409 while the item has not run, 404 when it did not succeed or the job has no overlays.
    """
    job = _find(job_id)
    if not _INDEX.fullmatch(index):
        raise NotFound(f"Job {job_id!r} has no item {index!r}: items are counted from 0.")
    response = Response(read_overlay(ground(), job, int(index)), content_type="image/jpeg")
    # It never changes; nobody but its tenant may keep it.
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def _find(job_id: str) -> Job:
    with ground().database.read() as session:
        job = get_job(session, tenant_id(), job_id)
    if job.outputs_erased_at is not None:
        raise NotFound(f"The results of job {job_id!r} were erased, as it was agreed.")
    return job


def _page(job: Job, after: Cursor, query: ResultsQuery) -> Response:
    page = read_page(ground(), job, after, query.limit or _ROWS_A_PAGE, query.status)
    text = page_json(job, page, query.after).encode()
    return compressed_answer(iter([text]), {}, "application/json")


def _stream(job: Job, after: Cursor, query: ResultsQuery) -> Response:
    task, labels = task_and_labels(ground(), job)
    form = form_of(query.format, task)
    extent = extent_of(ground(), job, after, query.status)
    told = extent.rows if query.limit is None else min(extent.rows, query.limit)
    floor = ground()

    def rows() -> Iterator[Row]:
        wanted = (
            row
            for _, row in read_rows(floor, job, after, extent.until)
            if query.status is None or row.status is query.status
        )
        return begun(islice(wanted, told))

    content = form.write(Export(job, task, labels, rows, prediction_of(task)))
    # What can be told of as an error is: the first piece is made before the answer begins.
    content = chain(list(islice(content, 1)), content)
    headers = {
        ROWS: str(told),
        "Content-Disposition": f'attachment; filename="{job.id}{form.suffix}"',
    }
    if form.is_packed:
        return Response(content, headers=headers, content_type=form.media_type)
    return compressed_answer(content, headers, form.media_type)
