"""What callers get to see of models, their versions and aliases, and of the log of changes."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.web.views import Page
from jobs.base.states import VersionState
from jobs.tables import AuditEntry, Job, ModelAlias, ModelVersion
from jobs.versions.canaries import Figures
from jobs.versions.names import shown_name
from models.catalog import ModelRecord, params_schema, result_schema


class DifferenceView(BaseModel):
    """One measure: the worst that was seen, the limit, and of how many comparisons."""

    measure: Literal["confidence", "box IoU", "mask IoU", "cosine"]
    worst: float
    limit: float
    compared: int


class ProofView(BaseModel):
    """A version held against what its author's own code answers to the same pictures."""

    against: dict[str, str] = Field(description="Whose code: names with versions.")
    check: str | None = Field(None, description="SHA-256 of the part `check` that was sent.")
    samples: int
    holds: bool
    differences: list[DifferenceView]
    apart: list[str] = Field(description="The pictures that differ by more than a limit.")
    reason: str | None = Field(description="What would explain it, if something was found.")


class ModelView(BaseModel):
    """One version of a model, and what may be sent to it."""

    id: str
    object: Literal["model"] = "model"
    name: str
    version: int
    digest: str
    state: VersionState
    reason: str | None = Field(description="Why it was refused.")
    author: str = Field(description="The key that registered it, or `operator`.")
    task: str = Field(description="Empty while a worker has still to read it from the file.")
    architecture: str
    input_kind: str
    labels: list[str]
    preprocess: dict[str, Any]
    options: dict[str, Any]
    description: str
    metrics: dict[str, float]
    provenance: dict[str, str] = Field(description="What is known of where it comes from.")
    proof: ProofView | None = Field(
        description="How it answered its check, against its author's own code; null without one."
    )
    params_schema: dict[str, Any]
    result_schema: dict[str, Any]
    aliases: dict[str, int]
    created_at: int


class EvaluationSummary(BaseModel):
    """What came of one evaluation, in short: `GET /v1/jobs/{job_id}/evaluation` has all of it."""

    job_id: str
    created_at: int
    items: int
    evaluated: int
    failed: int
    figure: str = Field(description="`accuracy`, `map_50` or `miou`.")
    value: float | None


class CardView(ModelView):
    """One version of a model, and how good it is on the caller's own labelled items."""

    evaluations: list[EvaluationSummary] = Field(
        description="The newest five of the caller's tenant; nobody sees another's."
    )


class ModelList(Page[ModelView]):
    """Models by name, or versions of one model, newest first."""


class FiguresView(BaseModel):
    """What a version did in a trial."""

    items: int
    faults: int = Field(description="Items that failed with no fault of their own.")
    error_rate: float
    item_ms: float = Field(description="Device time an item.")


class CanaryView(BaseModel):
    """The version that is on trial, its limits, and how both versions did so far."""

    version: int
    percent: float
    max_error_rate: float
    max_latency_ratio: float
    min_items: int
    since: int
    stable_figures: FiguresView
    canary_figures: FiguresView


class LastCanaryView(BaseModel):
    """How the last trial ended."""

    version: int
    outcome: Literal["promoted", "ended", "rolled_back", "removed"]
    reason: str | None
    at: int
    stable_figures: FiguresView
    canary_figures: FiguresView


class AliasView(BaseModel):
    """A name that moves between versions."""

    id: str
    object: Literal["model.alias"] = "model.alias"
    model: str
    alias: str
    version: int
    updated_at: int
    canary: CanaryView | None
    last_canary: LastCanaryView | None


class AliasList(Page[AliasView]):
    """The aliases of a model, by name."""


class AuditEntryView(BaseModel):
    """One change, and who made it."""

    id: str
    object: Literal["audit_entry"] = "audit_entry"
    at: int
    who: str = Field(description="The id of a key, or `operator`, `worker`, `sweeper`.")
    tenant_id: str | None
    action: str
    subject: str
    details: dict[str, Any]


class AuditList(Page[AuditEntryView]):
    """Changes, newest first."""


def model_view(version: ModelVersion, aliases: Iterable[ModelAlias]) -> ModelView:
    """Show a version of a model, with the aliases of all its versions."""
    record = ModelRecord.from_json(version.record)
    name = shown_name(version.name)
    return ModelView(
        id=f"{name}@{version.version}",
        name=name,
        version=version.version,
        digest=version.digest,
        state=version.state,
        reason=version.reason,
        author=version.author,
        task=record.task,
        architecture=record.architecture,
        input_kind=record.input_kind,
        labels=list(record.labels),
        preprocess=dict(record.preprocess),
        options=dict(record.options),
        description=record.description,
        metrics=dict(record.metrics),
        params_schema=params_schema(record.task) if record.task else {},
        result_schema=result_schema(record.task) if record.task else {},
        provenance=dict(record.provenance),
        proof=None if version.proof is None else ProofView(**version.proof),
        aliases={each.alias: each.version for each in aliases if each.name == version.name},
        created_at=int(version.created_at),
    )


def card_view(
    version: ModelVersion,
    aliases: Iterable[ModelAlias],
    evaluations: Iterable[tuple[Job, dict[str, Any]]],
) -> CardView:
    """Show a version of a model with evaluations of it: their jobs and summaries."""
    return CardView(
        **model_view(version, aliases).model_dump(),
        evaluations=[
            EvaluationSummary(job_id=job.id, created_at=int(job.created_at), **summary)
            for job, summary in evaluations
        ],
    )


def alias_view(alias: ModelAlias, measured: tuple[Figures, Figures]) -> AliasView:
    """Show an alias; `measured` are the figures of the running trial, stable version first."""
    name = shown_name(alias.name)
    return AliasView(
        id=f"{name}@{alias.alias}",
        model=name,
        alias=alias.alias,
        version=alias.version,
        updated_at=int(alias.updated_at),
        canary=None
        if alias.canary is None
        else CanaryView(
            **alias.canary,
            since=int(alias.canary_since or 0),
            stable_figures=_figures(measured[0]),
            canary_figures=_figures(measured[1]),
        ),
        last_canary=_last(alias.last_canary),
    )


def audit_view(entry: AuditEntry) -> AuditEntryView:
    """Show a change, in the names that are stored: operators see every tenant's."""
    return AuditEntryView(
        id=str(entry.id),
        at=int(entry.at),
        who=entry.who,
        tenant_id=entry.tenant_id,
        action=entry.action,
        subject=entry.subject,
        details=entry.details,
    )


def _last(ended: dict[str, Any] | None) -> LastCanaryView | None:
    if ended is None:
        return None
    stable, canary = (Figures(**ended["figures"][each]) for each in ("stable", "canary"))
    return LastCanaryView(
        version=ended["version"],
        outcome=ended["outcome"],
        reason=ended["reason"],
        at=int(ended["at"]),
        stable_figures=_figures(stable),
        canary_figures=_figures(canary),
    )


def _figures(figures: Figures) -> FiguresView:
    return FiguresView(
        items=figures.items,
        faults=figures.faults,
        error_rate=round(figures.error_rate, 6),
        item_ms=round(1000 * figures.item_s, 3),
    )
