"""Watches: made, listed, shown, paused, resumed, deleted."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify

from api.current import actor, buckets, ground, link, tenant_id
from api.jobs.submitting import checked, idempotency_of
from api.watches.schemas import WatchCreate, WatchList, WatchView, watch_view
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.views import Deleted, listed
from jobs.intake.bucket_items import check_source
from jobs.intake.submission import Submission
from jobs.tables import Requested, Watch
from jobs.watches.watches import (
    Wanted,
    create_watch,
    delete_watch,
    find_earlier_watch,
    find_watch,
    list_watches,
    open_items,
    pause_watch,
    resume_watch,
)

watches = APIBlueprint("watches", __name__, url_prefix="/v1/watches", tag="Watches")

# What each job of a watch says of itself as its caller said it once.
_OPTIONS = (
    "priority",
    "metadata",
    "webhook",
    "output",
    "completion_window",
    "completion_window_s",
    "output_expires_after",
    "overlays",
    "gallery",
)


@watches.post("")
@describe(
    watches,
    {201: WatchView},
    problems=(400, 404, 409, 413, 415, 422),
    body={"application/json": WatchCreate},
    headers=("Idempotency-Key", "Cancel-After"),
)
def watch_folder() -> Response:
    """Watch a folder of a bucket: each object that lies there or comes becomes an item of a job.

    Everything is checked as for a job. The folder is listed at once, and then again and again; each
    object is run once, and once more when it changes. With `only_new`, what the first listing finds
    is left out. There may be 100 watches.
    """
    body, plain = read_body(WatchCreate)
    idempotency = idempotency_of(plain)
    row, is_new = find_earlier_watch(ground(), tenant_id(), idempotency), False
    if row is None:
        row, is_new = create_watch(ground(), actor(), _wanted(body), idempotency)
    response = jsonify(_view_of(row))
    response.status_code = 201
    response.headers["Location"] = link(f"/v1/watches/{row.id}")
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@watches.get("")
@describe(watches, {200: WatchList})
def get_watches() -> dict[str, Any]:
    """List the watches of your tenant, newest first: a hundred at most, so without pages."""
    with ground().database.read() as session:
        rows = list_watches(session, tenant_id())
        still_open = open_items(session, rows)
    return listed([watch_view(row, still_open.get(row.id, 0)) for row in rows])


@watches.get("/<watch_id>")
@describe(watches, {200: WatchView}, problems=(404,))
def get_one_watch(watch_id: str) -> dict[str, Any]:
    """Show where a watch stands: when it listed last, what it found, and what is still to be run.

    Its jobs are at `/v1/jobs?watch=` and its id.
    """
    with ground().database.read() as session:
        row = find_watch(session, tenant_id(), watch_id)
    return _view_of(row)


@watches.post("/<watch_id>/pause")
@describe(watches, {200: WatchView}, problems=(404,))
def pause_one_watch(watch_id: str) -> dict[str, Any]:
    """Pause a watch: its folder is not listed until it is resumed. Jobs that it made run on.

    A listing that goes on at this moment makes no job any more. Repeating it is harmless.
    """
    return _view_of(pause_watch(ground(), actor(), watch_id))


@watches.post("/<watch_id>/resume")
@describe(watches, {200: WatchView}, problems=(404,))
def resume_one_watch(watch_id: str) -> dict[str, Any]:
    """Resume a watch, and list its folder now: what came meanwhile becomes a job.

    One that is failing is tried at once too. Repeating it is harmless.
    """
    return _view_of(resume_watch(ground(), actor(), watch_id))


@watches.delete("/<watch_id>")
@describe(watches, {200: Deleted}, problems=(404,))
def remove_watch(watch_id: str) -> dict[str, Any]:
    """Delete a watch with what it knows to have seen. Its jobs and their results stay."""
    delete_watch(ground(), actor(), watch_id)
    return Deleted(id=watch_id, object="watch").model_dump()


def _wanted(body: WatchCreate) -> Wanted:
    """Check a watch as the job that it would make now; raises what is wrong with it."""
    requested = Requested(body.model, body.params or {})
    submission: Submission = checked(body, requested)
    source = {
        name: said
        for name in ("prefix", "include", "exclude", "connection")
        if (said := getattr(body, name)) is not None
    }
    check_source(ground(), buckets(), tenant_id(), source)
    return Wanted(
        source=source,
        requested=requested.as_stored(),
        options={name: getattr(submission, name) for name in _OPTIONS},
        interval_s=float(body.interval_seconds or ground().settings.watch_s),
        only_new=body.only_new,
    )


def _view_of(row: Watch) -> dict[str, Any]:
    with ground().database.read() as session:
        still_open = open_items(session, [row])
    return watch_view(row, still_open.get(row.id, 0)).model_dump(mode="json")
