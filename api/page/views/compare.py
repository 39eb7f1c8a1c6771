"""What changed between a job and its rerun: figures, what differs, and which version to keep.

before and after, side by side ──► promote the version that ran after, or roll back to the other
"""

from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import ground, may_change
from api.page.blueprint import page_blueprint
from api.page.confusion import matrix_of
from api.page.drawing import SMALL, Shown, shown
from api.page.views.job import find
from api.results.comparisons import comparison_view
from api.results.schemas import ChangesQuery
from api.web.parsing import validated
from jobs.aftercare.comparison import get_comparison, read_changes
from jobs.base.errors import NotFound
from jobs.overview.pictures import read_result, unseen
from jobs.tables import Job
from jobs.versions.aliases import aliases_of
from jobs.versions.names import shown_name

compare = page_blueprint("compare")

_ON_A_PAGE, _PICTURES = 50, 12


class Move(NamedTuple):
    """An alias that can be moved from one of the two versions to the other."""

    alias: str
    version: int
    is_rollback: bool


class Change(NamedTuple):
    """An item that the versions answer differently; `sides` are before and after, to be drawn."""

    told: dict[str, Any]
    sides: list[Shown]


@compare.get("/jobs/<job_id>/comparison")
def show_comparison(job_id: str) -> ResponseReturnValue:
    """Show how a rerun's answers differ from those of the job whose items it ran."""
    job = find(job_id)
    why_unseen = unseen(job)
    as_pictures = request.args.get("view") != "table" and why_unseen is None
    count = _PICTURES if as_pictures else _ON_A_PAGE
    query = validated(ChangesQuery, {"after": request.args.get("after", 0), "limit": count})
    with ground().database.read() as session:
        comparison = get_comparison(session, job)
    view = comparison_view(comparison)
    changes = []
    if comparison.changes is not None:
        changes = read_changes(ground(), comparison, query.after, count + 1)
    return render_template(
        "jobs/comparison.html",
        job=job,
        view=view,
        matrix=matrix_of(view.report.confusion) if view.report else None,
        moves=_moves(job, view.parent_id),
        model=shown_name(job.model_name),
        unseen=why_unseen,
        as_pictures=as_pictures,
        changes=[_change(job, each, as_pictures) for each in changes[:count]],
        after=query.after,
        next_after=query.after + count if len(changes) > count else None,
    )


def _change(job: Job, told: dict[str, Any], as_pictures: bool) -> Change:
    row = read_result(ground(), job, told["index"]) if as_pictures else None
    if row is None:
        return Change(told, [])
    sides = [orjson.dumps(told[side]["predictions"]).decode() for side in ("before", "after")]
    return Change(told, [shown(replace(row, predictions_json=each), SMALL) for each in sides])


def _moves(job: Job, parent_id: str) -> list[Move]:
    """Give what whoever looks may do with the model's aliases, now that the versions are compared.

    An alias at the version before can be promoted to the one after, and one there rolled back.
    """
    try:
        before = find(parent_id)
    except NotFound:
        return []
    is_one_model = before.model_name == job.model_name
    if not is_one_model or before.model_version == job.model_version:
        return []
    if not may_change(shown_name(job.model_name)):
        return []
    other = {before.model_version: job.model_version, job.model_version: before.model_version}
    with ground().database.read() as session:
        rows = aliases_of(session, job.model_name)
    moves = [
        Move(row.alias, other[row.version], row.version == job.model_version)
        for row in rows
        if row.version in other
    ]
    return moves if rows else [Move("production", job.model_version, is_rollback=False)]
