"""A job's results as callers read them: rows as JSON, and pages of them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from jobs.base.states import ItemStatus
from jobs.forms.lines import rows_json
from jobs.results.rows import Page
from jobs.results.segments import Row, to_json
from jobs.tables import Job


class ItemFault(BaseModel):
    """Why an item has no predictions."""

    code: str
    message: str
    retryable: bool


class ItemNotice(BaseModel):
    """What an item's predictions leave out, such as the damaged end of a video."""

    code: str
    message: str


class ResultItem(BaseModel):
    """What became of one item: `predictions` if it succeeded, else `error`.

    `input_url` is the address that it was named by, without its query and user.
    `width` and `height` are of the upright original in pixels; `fps` and `duration_ms` of a video.
    """

    index: int
    custom_id: str
    status: ItemStatus
    model: str
    input_sha256: str | None
    attempts: int
    predictions: list[dict[str, Any]] | None
    error: ItemFault | None
    warnings: list[ItemNotice]
    width: int | None
    height: int | None
    fps: float | None
    duration_ms: int | None
    metadata: dict[str, Any] | None = Field(
        description="What came beside the item, such as the `.json` and `.cls` of a WebDataset."
    )
    input_url: str | None


class PredictionView(ResultItem):
    """The result of a job of one item, and that job's id."""

    job_id: str


class ResultPage(BaseModel):
    """Rows in the order of their commit; `last_id` is the cursor for the next page."""

    object: Literal["list"] = "list"
    data: list[ResultItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


def page_json(job: Job, page: Page, after: str | None) -> str:
    """Write a page as a `ResultPage`.

    Of an empty one the cursor stays where it was, so that a caller can keep asking.
    """
    first = str(page.first) if page.first else None
    last = str(page.last) if page.last else after
    return (
        f'{{"object":"list","data":[{",".join(rows_json(job, page.rows))}],'
        f'"first_id":{to_json(first)},"last_id":{to_json(last)},'
        f'"has_more":{to_json(page.has_more)}}}\n'
    )


def prediction_json(job: Job, row: Row) -> str:
    """Write the row of a job of one item as a `PredictionView`."""
    (written,) = rows_json(job, [row])
    return f'{written.removesuffix("}")},"job_id":{to_json(job.id)}}}\n'
