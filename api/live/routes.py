"""Streams of events: of one job until its end, and of all of a tenant's jobs."""

from apiflask import APIBlueprint
from flask import Response, g, request

from api.current import ground, tenant_id
from api.live import schemas as schemas  # shown in the document
from api.live.answer import MEDIA_TYPE, Live, Watch, headers_alone
from api.live.feed import feed
from api.live.opening import open_job, open_tenant
from api.web.openapi import describe
from jobs.base.errors import InvalidRequest

job_events = APIBlueprint("job_events", __name__, tag="Events")
events = APIBlueprint("events", __name__, tag="Events", url_prefix="/v1/events")

# As many digits as a number of 64 bits has.
_MOST_DIGITS = 18


@job_events.get("/<job_id>/events")
@describe(
    job_events,
    {200: {MEDIA_TYPE: None}, 204: None},
    problems=(404, 422),
    headers=("Last-Event-ID",),
)
def get_job_events(job_id: str) -> Response:
    """Follow a job as it runs, by server-sent events; `data` is a JobEvent.

    The stream begins with where the job stands, or with what happened after `Last-Event-ID`, each
    thing once. It ends with the job: whoever comes again after that is answered 204.
    """
    after = _last_event()
    with ground().database.read() as session:
        opened = open_job(session, tenant_id(), job_id, after)
    if opened is None:
        return Response(status=204)
    if request.method == "HEAD":
        return headers_alone()
    return _with_place(Live(_watch(job_id), opened))


@events.get("")
@describe(
    events,
    {200: {MEDIA_TYPE: None}},
    problems=(422,),
    headers=("Last-Event-ID",),
)
def get_events() -> Response:
    """Follow all jobs of the key's tenant, by server-sent events; `data` is a JobEvent.

    Without `Last-Event-ID` the stream begins now. With it, nothing is left out and nothing told
    twice; `reset` instead of that says that too much was missed, and that the jobs are to be listed
    anew.
    """
    after = _last_event()
    with ground().database.read() as session:
        opened = open_tenant(session, tenant_id(), after)
    if request.method == "HEAD":
        return headers_alone()
    return _with_place(Live(_watch(None), opened))


def _watch(job_id: str | None) -> Watch:
    return Watch(tenant_id(), g.key_id, job_id, g.get("visit"))


def _with_place(live: Live) -> Live:
    """Give a stream its place until it is closed; raises TooManyRequests and Unavailable."""
    live.call_on_close(feed().take_place(live.watch.tenant_id))
    return live


def _last_event() -> int | None:
    """Read which event the caller saw last; raises InvalidRequest for what is none of ours."""
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise InvalidRequest(
            f"The header Last-Event-ID is {text[:40]!r}: it must be the `id` of an event that a "
            "stream here has sent. Leave it out to begin anew.",
            param="Last-Event-ID",
        )
    return int(text)
