"""What callers get to see of a comparison. Times are whole seconds since 1970 (UTC)."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.current import link
from api.results.reports import state_of
from api.results.rows import ItemFault
from api.web.views import Page
from jobs.base.states import ItemStatus
from jobs.tables import Comparison


class ComparedItems(BaseModel):
    """The items of both jobs by what can be said of them."""

    total: int
    compared: int = Field(description="Those that both versions answered.")
    same: int = Field(description="Of these, those with the same answer.")
    changed: int = Field(description="Another answer, or an error in one of the two.")
    errored_both: int
    errored_before: int = Field(description="Errored in the parent only.")
    errored_after: int = Field(description="Errored in this job only.")
    left_out: int = Field(
        description="Cancelled, expired or erased in one of the two; or its URL gave other bytes."
    )


class Pace(BaseModel):
    """How fast a version was: on the device, and as its caller saw it."""

    model: str
    device_s_per_item: float | None
    items_per_s: float | None = Field(description="While the job was in progress.")
    ran_s: float | None = Field(description="From the first shard in the queue to the end.")
    waited_s: float | None = Field(description="From the submission until then.")


class ClassPair(BaseModel):
    """Items that were of one class before and of another, or the same, after; null is no class."""

    before: str | None
    after: str | None
    count: int


class Report(BaseModel):
    """The figures of a comparison."""

    measure: str = Field(description="How similar two answers are is told by this, from 0 to 1.")
    same_from: float = Field(description="From this similarity on they are the same answer.")
    agreement: float | None = Field(
        description="`same` over `compared`. Null, as `similarity` is, where there is nothing to "
        "compare: no item that both answered, or no class that both versions know by one name."
    )
    similarity: float | None = Field(description="The mean over `compared`.")
    items: ComparedItems
    confusion: list[ClassPair] = Field(description="Of classifications; most frequent first.")
    confusion_left_out: int = Field(description="Items of pairs that are not listed.")
    before: Pace
    after: Pace


class ComparisonView(BaseModel):
    """How a rerun's answers differ from those of the job whose items it ran."""

    object: Literal["comparison"] = "comparison"
    job_id: str
    parent_id: str
    status: Literal["waiting", "ready", "failed"]
    failure: str | None
    report: Report | None
    changes_url: str | None = Field(description="The items that changed, with both answers.")
    created_at: int
    completed_at: int | None


class ComparedAnswer(BaseModel):
    """One version's answer to an item."""

    status: ItemStatus
    predictions: list[dict[str, Any]] | None
    error: ItemFault | None


class ChangeView(BaseModel):
    """An item that the versions do not answer alike."""

    index: int
    custom_id: str
    similarity: float | None = Field(description="Null where one of them errored.")
    before: ComparedAnswer
    after: ComparedAnswer


class ChangePage(Page[ChangeView]):
    """Changes in the order of their items; `last_id` is the cursor for the next page."""


def comparison_view(comparison: Comparison) -> ComparisonView:
    """Show a comparison."""
    changes = f"/v1/jobs/{comparison.job_id}/comparison/changes"
    return ComparisonView(
        parent_id=comparison.parent_id,
        report=Report(**comparison.report) if comparison.report else None,
        changes_url=link(changes) if comparison.changes else None,
        created_at=int(comparison.created_at),
        **state_of(comparison),
    )


def change_page(rows: Sequence[dict[str, Any]], after: int, has_more: bool) -> dict[str, Any]:
    """Show changes that follow the first `after`; plain dicts, as rows of results are."""
    return {
        "object": "list",
        "data": list(rows),
        "first_id": str(after + 1) if rows else None,
        "last_id": str(after + len(rows)) if rows else None,
        "has_more": has_more,
    }
