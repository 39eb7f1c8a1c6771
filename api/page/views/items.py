"""One item of a job: its picture with its result over it."""

from flask import Response, render_template, url_for
from flask.typing import ResponseReturnValue

from api.current import buckets, ground
from api.page.blueprint import page_blueprint
from api.page.drawing import LARGE, shown
from api.page.reasons import remedy
from api.page.views.job import find
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item
from jobs.overview.pictures import (
    OnlySmall,
    Picture,
    picture_of,
    read_item,
    read_result,
    unopened,
    unseen,
    unshowable,
)
from jobs.results.opened import small_picture
from jobs.tables import Job

items = page_blueprint("items")

_MOST_DIGITS = 9
# A file of so many bytes is sent as it is where a small picture is wanted.
_SMALL_BYTES = 256 * 1024


@items.get("/jobs/<job_id>/items/<index>")
def show_item(job_id: str, index: str) -> ResponseReturnValue:
    """Show an item: its picture, its answer, and what is known of it."""
    job, number = find(job_id), _number(job_id, index)
    item = read_item(ground(), job, number)
    row = None if job.outputs_erased_at is not None else read_result(ground(), job, number)
    return render_template(
        "jobs/item.html",
        job=job,
        title=job.metadata_.get("name") or job.id,
        index=number,
        name=item.custom_id,
        address=item.url,
        item=None if row is None else shown(row, LARGE),
        why_unseen=unseen(job) or unshowable(item),
        thumbnail=_thumbnail(job, number, item),
        has_overlay=row is not None and row.overlay is not None,
        remedy=remedy,
    )


@items.get("/jobs/<job_id>/items/<index>/picture")
def show_picture(job_id: str, index: str) -> Response:
    """Send an item's own picture, where a browser shows files of its kind."""
    return send_picture(ground(), buckets(), find(job_id), index)


@items.get("/jobs/<job_id>/items/<index>/small")
def show_small(job_id: str, index: str) -> Response:
    """Send a small picture of an item: its own, where that is small enough for a page of many."""
    job, number = find(job_id), _number(job_id, index)
    if not job.gallery and unseen(job) is None:
        item = read_item(ground(), job, number)
        if max(item.size, item.length) <= _SMALL_BYTES or unopened(item) is not None:
            return _sent(_picture(ground(), buckets(), job, number))
    return _sent(Picture(small_picture(ground(), job, number), "image/jpeg"))


def send_picture(ground: Ground, buckets: Buckets, job: Job, index: str) -> Response:
    """Send the picture of a job's item, as one and nothing else."""
    return _sent(_picture(ground, buckets, job, _number(job.id, index)))


def _sent(picture: Picture) -> Response:
    response = Response(picture.content, content_type=picture.kind)
    # Bytes of strangers: whatever they are, they are shown as a picture and run nothing.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Content-Disposition"] = "inline"
    # It never changes, but may be erased; and who signs in next at this browser may be another.
    response.headers["Cache-Control"] = "private, max-age=60"
    response.headers["Vary"] = "Cookie"
    return response


def _picture(ground: Ground, buckets: Buckets, job: Job, index: int) -> Picture:
    """Give an item's picture, or a small one where browsers show no files of its kind."""
    try:
        return picture_of(ground, buckets, job, index)
    except NotFound as err:
        if not (job.gallery or isinstance(err, OnlySmall)):
            raise
        return Picture(small_picture(ground, job, index), "image/jpeg")


def _thumbnail(job: Job, index: int, item: Item) -> str | None:
    """Give the address of an item's small picture; None where there cannot be one."""
    is_made = job.gallery or (not job.delete_inputs and unopened(item) is None)
    if job.inputs_erased_at is not None or not is_made:
        return None
    return url_for("jobs_results.get_thumbnail", job_id=job.id, index=index)


def _number(job_id: str, index: str) -> int:
    if not (index.isascii() and index.isdecimal() and len(index) <= _MOST_DIGITS):
        raise NotFound(f"Job {job_id!r} has no item {index!r}: items are counted from 0.")
    return int(index)
