"""What operators get to see of a version in the shadow. Times are seconds since 1970 (UTC)."""

from typing import Literal

from pydantic import BaseModel, Field

from jobs.tables import ModelShadow
from jobs.versions.names import shown_name


class ShadowedItems(BaseModel):
    """The sampled items by what can be said of them."""

    compared: int = Field(description="Those that both versions answered.")
    same: int = Field(description="Of these, those with the same answer.")
    errored_both: int
    errored_before: int = Field(description="Errored in the version that answers only.")
    errored_after: int = Field(description="Errored in the shadow only.")


class ShadowView(BaseModel):
    """A version in the shadow of an alias, and its figures since it was set."""

    object: Literal["model.shadow"] = "model.shadow"
    model: str
    alias: str
    version: int
    percent: int
    jobs: int = Field(description="Jobs that were sampled and compared.")
    items: ShadowedItems
    agreement: float | None = Field(description="`same` over `compared`.")
    similarity: float | None = Field(description="The mean over `compared`, by the task's measure.")
    error_rate_before: float | None
    error_rate_after: float | None
    device_s_per_item_before: float | None
    device_s_per_item_after: float | None
    latency_ratio: float | None = Field(
        description="Of the two times on the device; over 1 is slower."
    )
    created_at: int
    updated_at: int | None


def shadow_view(shadow: ModelShadow) -> ShadowView:
    """Show a version in the shadow."""
    one_only = shadow.errored_before + shadow.errored_after
    ran = shadow.compared + shadow.errored_both + one_only
    return ShadowView(
        model=shown_name(shadow.name),
        alias=shadow.alias,
        version=shadow.version,
        percent=shadow.percent,
        jobs=shadow.jobs,
        items=ShadowedItems.model_validate(shadow, from_attributes=True),
        agreement=_ratio(shadow.same, shadow.compared),
        similarity=_ratio(shadow.similarity, shadow.compared),
        error_rate_before=_ratio(shadow.errored_both + shadow.errored_before, ran),
        error_rate_after=_ratio(shadow.errored_both + shadow.errored_after, ran),
        device_s_per_item_before=_ratio(shadow.device_before_s, shadow.compared),
        device_s_per_item_after=_ratio(shadow.device_after_s, shadow.compared),
        latency_ratio=_ratio(shadow.device_after_s, shadow.device_before_s),
        created_at=int(shadow.created_at),
        updated_at=None if shadow.updated_at is None else int(shadow.updated_at),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
