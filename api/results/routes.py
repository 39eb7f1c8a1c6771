"""A job's results, live: in the order of commits, by a cursor that loses and repeats nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice

from apiflask import APIBlueprint
from flask import Response, jsonify

from api.current import ground, tenant_id
from api.results.compression import ROWS, compressed_answer
from api.results.forms.table import FORMS, PAGES, check_form, form_of
from api.results.rows import ResultPage, page_json
from api.results.schemas import ResultsQuery
from api.results.summaries import SummaryQuery, SummaryView, summary_view
from api.web.openapi import describe
from api.web.parsing import read_query
from jobs.base.errors import NotFound
from jobs.forms.export import Export, begun, task_and_labels
from jobs.queue.reading import get_job
from jobs.results.opened import small_picture
from jobs.results.overlays import read_overlay
from jobs.results.rows import Cursor, extent_of, parse_cursor, read_page, read_rows
from jobs.results.segments import Row
from jobs.results.summaries import summary_of
from jobs.tables import Job
from models.catalog import prediction_of

results = APIBlueprint("results", __name__, tag="Results")

_ROWS_A_PAGE = 100
# While somebody waits.
_SUMMARY_S = 0.15
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
    return send_results(job_id, lambda row: row)


def send_results(job_id: str, tell: Callable[[Row], Row]) -> Response:
    """Answer a request for results; `tell` makes of a row what its reader may see of it."""
    query = read_query(ResultsQuery)
    check_form(query.format)
    job = _find(job_id)
    after = Cursor() if query.after is None else parse_cursor(query.after)
    answer = _page if query.format == PAGES else _stream
    return answer(job, after, query, tell)


@results.get("/<job_id>/results/<index>/overlay")
@describe(results, {200: {"image/jpeg": "binary"}}, problems=(404, 409))
def get_overlay(job_id: str, index: str) -> Response:
    """Show an item's image with its result drawn over it, of a job submitted with `overlays`.

    Of a video, at most 16 of its frames are shown in order, with their classes and times.
    409 while the item has not run, 404 when it did not succeed or the job has no overlays.
    """
    job, number = _find(job_id), _number(job_id, index)
    response = Response(read_overlay(ground(), job, number), content_type="image/jpeg")
    # It never changes; nobody but its tenant may keep it.
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@results.get("/<job_id>/results/<index>/thumbnail")
@describe(results, {200: {"image/jpeg": "binary"}}, problems=(404, 409))
def get_thumbnail(job_id: str, index: str) -> Response:
    """Show an item's small picture: at most 256 pixels a side.

    Of a video it is a strip of twelve frames along its whole length, 72 pixels high. A job that was
    submitted with `gallery` has them as its items run, 409 before that. Of any other they are made
    when they are asked for: 409 `being_made`, with `Retry-After`, until they are. 404 when the item
    was not decoded, or the inputs were erased.
    """
    job, number = _find(job_id), _number(job_id, index)
    response = Response(small_picture(ground(), job, number), content_type="image/jpeg")
    # It may be erased with the inputs at any time; and who signs in next may be somebody else.
    response.headers["Cache-Control"] = "private, max-age=60"
    response.headers["Vary"] = "Authorization, Cookie"
    return response


@results.get("/<job_id>/summary")
@describe(
    results, {200: {"application/json": SummaryView}}, problems=(404, 422), query=SummaryQuery
)
def get_summary(job_id: str) -> Response:
    """Read what a job's answers come to by now: how often each class was found, and how surely.

    Of detections and masks each is counted, of classifications the first class of each item.
    Nothing of it is read from the results, so it costs the same for ten items and for a million.
    """
    query = read_query(SummaryQuery)
    summary, is_whole = summary_of(ground(), _find(job_id), _SUMMARY_S)
    view = summary_view(job_id, summary, is_whole, query.limit)
    return jsonify(view.model_dump(mode="json", by_alias=True))


def _number(job_id: str, index: str) -> int:
    if not _INDEX.fullmatch(index):
        raise NotFound(f"Job {job_id!r} has no item {index!r}: items are counted from 0.")
    return int(index)


def _find(job_id: str) -> Job:
    with ground().database.read() as session:
        job = get_job(session, tenant_id(), job_id)
    if job.outputs_erased_at is not None:
        raise NotFound(f"The results of job {job_id!r} were erased, as it was agreed.")
    return job


def _page(job: Job, after: Cursor, query: ResultsQuery, tell: Callable[[Row], Row]) -> Response:
    page = read_page(ground(), job, after, query.limit or _ROWS_A_PAGE, query.status)
    page = replace(page, rows=[tell(row) for row in page.rows])
    text = page_json(job, page, query.after).encode()
    return compressed_answer(iter([text]), {}, "application/json")


def _stream(job: Job, after: Cursor, query: ResultsQuery, tell: Callable[[Row], Row]) -> Response:
    task, labels = task_and_labels(ground(), job)
    form = form_of(query.format, task)
    extent = extent_of(ground(), job, after, query.status)
    told = extent.rows if query.limit is None else min(extent.rows, query.limit)
    floor = ground()

    def rows() -> Iterator[Row]:
        wanted = (
            tell(row)
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
