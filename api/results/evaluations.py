"""What callers get to see of an evaluation. Times are whole seconds since 1970 (UTC)."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.results.reports import state_of
from api.web.openapi import show
from jobs.tables import Evaluation
from jobs.versions.names import shown_name
from models.catalog import TRUTHS


class ClassFigures(BaseModel):
    """How good a version is at one class; which members there are hangs on its task."""

    name: str = Field(alias="class")
    support: int = Field(description="True items, boxes or pixels of the class.")
    found: int | None = Field(None, description="Boxes or pixels that were found to be of it.")
    precision: float | None = Field(None, description="Null where nothing was found to be of it.")
    recall: float | None = Field(None, description="Null where nothing is of it.")
    ap_50: float | None = Field(None, description="Average precision at IoU 0.5, as in VOC.")
    ap_50_95: float | None = Field(None, description="Its mean at IoU 0.50, 0.55, … 0.95.")
    iou: float | None = None


class Mistake(BaseModel):
    """Items of one class that were found to be of another."""

    true: str
    found: str | None
    count: int


class Confusion(BaseModel):
    """What was taken for what; a row a true class, and a column a found one."""

    labels: list[str] | None = Field(description="Null, as `counts`, for more than 100 classes.")
    counts: list[list[int]] | None
    mistakes: list[Mistake] = Field(description="The 100 most frequent.")
    mistakes_left_out: int


class Unanswered(BaseModel):
    """An item that is in no figure, and why."""

    index: int
    custom_id: str
    code: str
    message: str


class EvaluationView(BaseModel):
    """How good a version is on a caller's own labelled items."""

    object: Literal["evaluation"] = "evaluation"
    job_id: str
    model: str
    status: Literal["waiting", "ready", "failed"]
    failure: str | None
    items: int | None = Field(description="Null, as all that follows, until it is ready.")
    evaluated: int | None = Field(description="Items that the figures are of.")
    failed: int | None = Field(description="Items without an answer; they are in no figure.")
    measure: str | None = Field(description="How the first of the figures is told.")
    figures: dict[str, float | None] | None = Field(
        description="`accuracy`; `map_50` and `map_50_95`; or `miou` and `pixel_accuracy`."
    )
    per_class: list[ClassFigures] | None
    confusion: Confusion | None = Field(description="Of classifications alone.")
    unanswered: list[Unanswered] | None = Field(
        description="The first 100 items that failed; erased with the job's results."
    )
    completed_at: int | None


for _contract in TRUTHS.values():
    show(_contract.schema)


def evaluation_view(evaluation: Evaluation) -> dict[str, Any]:
    """Show an evaluation; classes have the members that their task has."""
    report = evaluation.report or {}
    view = EvaluationView(
        model=f"{shown_name(evaluation.model_name)}@{evaluation.model_version}",
        unanswered=evaluation.unanswered,
        **state_of(evaluation),
        **{name: report.get(name) for name in _OF_REPORT},
    )
    shown = view.model_dump(mode="json", by_alias=True, exclude={"per_class"})
    return shown | {"per_class": report.get("per_class")}


_OF_REPORT = ("items", "evaluated", "failed", "measure", "figures", "per_class", "confusion")
