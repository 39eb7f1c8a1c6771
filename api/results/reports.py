"""Reports that are written once jobs are over, comparisons and evaluations: how far they are."""

from typing import Any

from flask import Response, jsonify

from jobs.tables import Comparison, Evaluation

_LOOK_AGAIN_S = 2


def state_of(row: Comparison | Evaluation) -> dict[str, Any]:
    """Give the members that the views of all reports have."""
    ended = row.ended_at
    return {
        "job_id": row.job_id,
        "status": "waiting" if ended is None else "failed" if row.report is None else "ready",
        "failure": row.failure,
        "completed_at": None if ended is None else int(ended),
    }


def reported(view: dict[str, Any], row: Comparison | Evaluation) -> Response:
    """Answer with the view of a report, and when to look again while it is to come."""
    response = jsonify(view)
    if row.ended_at is None:
        response.headers["Retry-After"] = str(_LOOK_AGAIN_S)
    return response
