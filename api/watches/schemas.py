"""What callers send to watch a folder, and what they get to see of it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool

from api.jobs.schemas import CommonOptions, Glob
from api.jobs.views import Skipped, SourceView, WebhookView
from api.web.schemas import BucketAddress, ModelName, Whole
from jobs.base.states import WatchState
from jobs.buckets.globs import MOST_GLOBS
from jobs.inputs.skipping import NOTHING
from jobs.tables import Requested, Watch

Interval = Annotated[int, Whole(1, 86_400)]


class WatchCreate(CommonOptions):
    """A folder to watch, and what each job that comes of it says of itself."""

    model: ModelName
    prefix: BucketAddress = Field(
        description="A folder of a bucket, as in a job: every object below it that may be media.",
    )
    include: list[Glob] | None = Field(
        None, max_length=MOST_GLOBS, description="Globs, one of which a key has to match."
    )
    exclude: list[Glob] | None = Field(
        None, max_length=MOST_GLOBS, description="Globs that no key may match."
    )
    connection: str | None = Field(
        None,
        max_length=64,
        description="Id or name of a connection of yours that opens the bucket; the server's own "
        "credentials without one.",
    )
    only_new: StrictBool = Field(
        False, description="Leave out what lies there already when the folder is first listed."
    )
    interval_seconds: Interval | None = Field(
        None,
        description="How often the folder is listed; at most so often. The operator's word if "
        "left out, 30 seconds as a rule.",
    )


class Backlog(BaseModel):
    """What was found and has no result yet."""

    objects: int = Field(description="Found by the last listing, and in no job yet.")
    items: int = Field(description="In jobs, and not processed yet.")


class WatchOutput(BaseModel):
    """A folder in which each job of a watch makes one of its own."""

    url: str
    format: str
    compression: str | None = None
    connection: str | None = None


class WatchView(BaseModel):
    """A watch at the moment of the answer."""

    id: str
    object: Literal["watch"] = "watch"
    state: WatchState = Field(
        description="`failing` until a listing succeeds again, which is tried after pauses that "
        "grow to an hour."
    )
    last_error: str | None = Field(description="Why it is failing.")
    source: SourceView
    model: str = Field(description="As you named it: each job runs what it stands for by then.")
    params: dict[str, Any]
    priority: str
    metadata: dict[str, str]
    webhook: WebhookView | None
    output: WatchOutput | None = Field(description="Where the results of its jobs are written.")
    completion_window: str | None
    output_expires_after: int | None
    overlays: bool
    gallery: bool
    only_new: bool
    interval_seconds: int
    objects_seen: int = Field(
        description="Objects that became items of jobs; one that changed counts again."
    )
    jobs_created: int
    backlog: Backlog
    skipped: Skipped = Field(description="What the last listing passed over.")
    last_listed_at: int | None
    next_listing_at: int | None = Field(description="Null while it is paused.")
    created_at: int


class WatchList(BaseModel):
    """Watches, newest first."""

    object: Literal["list"] = "list"
    data: list[WatchView]
    first_id: str | None
    last_id: str | None
    has_more: bool


def watch_view(row: Watch, open_items: int) -> WatchView:
    """Show a watch; `open_items` of its jobs have no result yet."""
    options, is_paused = row.options, row.state is WatchState.PAUSED
    requested = Requested.read(row.requested)
    listed_at = row.last_listed_at
    return WatchView(
        id=row.id,
        state=row.state,
        last_error=row.last_error,
        source=SourceView(**row.source),
        model=requested.model,
        params=requested.params,
        priority=options["priority"],
        metadata=options["metadata"] or {},
        webhook=WebhookView(**options["webhook"]) if options["webhook"] else None,
        output=WatchOutput(**output) if (output := options.get("output")) else None,
        completion_window=options["completion_window"],
        output_expires_after=options["output_expires_after"],
        overlays=options["overlays"],
        gallery=options.get("gallery", False),
        only_new=row.only_new,
        interval_seconds=round(row.interval_s),
        objects_seen=row.objects_seen,
        jobs_created=row.jobs_created,
        backlog=Backlog(objects=row.objects_waiting, items=open_items),
        skipped=Skipped(**(row.skipped or NOTHING)),
        last_listed_at=None if listed_at is None else int(listed_at),
        next_listing_at=None if is_paused else int(row.next_at),
        created_at=int(row.created_at),
    )
