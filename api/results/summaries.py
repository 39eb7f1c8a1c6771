"""What a job's answers come to, as callers see it."""

from typing import Literal

from pydantic import BaseModel, Field

from api.web.schemas import Strict
from jobs.results.summaries import BINS, Summary


class SummaryQuery(Strict):
    """How much of a summary to read."""

    limit: int = Field(100, ge=1, le=1000, description="Classes, the most frequent first.")


class ClassCount(BaseModel):
    """How often a class was found."""

    name: str = Field(serialization_alias="class")
    count: int


class OtherClasses(BaseModel):
    """The classes that are not listed."""

    classes: int
    count: int


class ConfidenceBin(BaseModel):
    """How many findings are at least so sure, and less sure than `below`; 1 is in the last bin."""

    at_least: float
    below: float
    count: int


class SummaryView(BaseModel):
    """What the answers of a job come to by now."""

    object: Literal["job.summary"] = "job.summary"
    job_id: str
    is_complete: bool = Field(
        description="False where not all that is there by now was counted yet: ask again."
    )
    items: int = Field(description="Items that were counted; those that never ran are not.")
    findings: int
    classes: list[ClassCount]
    other_classes: OtherClasses
    confidences: list[ConfidenceBin]


def summary_view(job_id: str, summary: Summary, is_whole: bool, limit: int) -> SummaryView:
    """Show a summary with its `limit` most frequent classes."""
    listed = summary.classes.most_common(limit)
    return SummaryView(
        job_id=job_id,
        is_complete=is_whole,
        items=summary.items,
        findings=summary.found,
        classes=[ClassCount(name=name, count=count) for name, count in listed],
        other_classes=OtherClasses(
            classes=len(summary.classes) - len(listed),
            count=summary.found - sum(count for _, count in listed),
        ),
        confidences=[
            ConfidenceBin(at_least=number / BINS, below=(number + 1) / BINS, count=count)
            for number, count in enumerate(summary.confidences)
        ],
    )
