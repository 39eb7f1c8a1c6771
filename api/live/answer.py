"""The answer that goes on: its first text is there, and api.front writes what follows.

Called as plain WSGI it ends after the first text. Its reader then comes again after a moment, with
the last event that it has seen: EventSource does so by itself, and nothing is lost.
"""

from dataclasses import dataclass

from flask import Response

from api.live.opening import Opening
from jobs.tenants.sessions import Visit

MEDIA_TYPE = "text/event-stream"
_HEADERS = {
    # Kept by nobody, and by nginx not gathered either.
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Watch:
    """Who watches what: a job, or with None all of a tenant's.

    The key must stay good for it, and of a browser the session, which may end sooner.
    """

    tenant_id: str
    key_id: str
    job_id: str | None
    visit: Visit | None = None


class Live(Response):
    """A stream of events that has begun."""

    def __init__(self, watch: Watch, opened: Opening) -> None:
        # An iterator, for the length of all of it is not known.
        super().__init__(iter([opened.text]), headers=_HEADERS, mimetype=MEDIA_TYPE)
        # Not the text: it may have megabytes, and a stream stays open for long.
        self.watch, self.number, self.is_all = watch, opened.number, opened.is_all


def headers_alone() -> Response:
    """Answer HEAD as a stream would, and watch nothing."""
    return Response(headers=_HEADERS, mimetype=MEDIA_TYPE)
