"""Canaries: a version on trial gets a part of an alias's new jobs, and is ended if it does badly.

Which jobs is decided by a hash of trial and job, so the same job always gets the same version. Both
versions' jobs of a trial bear its id, and are compared with each other alone: what one tenant sends
to `digits@4` by its number tells nothing of the canary.

Judged by two figures, once both versions have run enough items:

    error rate   items that failed with no fault of their own, of all that were run: passes its
                 limit, and is worse than the other version's
    latency      device seconds an item, over the other version's
"""

import hashlib
from typing import Any, NamedTuple

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.tables import Job, ModelAlias
from jobs.tenants.audit import SWEEPER, Actor, write_entry

log = structlog.get_logger(__name__)

_PARTS = 1 << 64


class Figures(NamedTuple):
    """What a version did in a trial; `faults` are items that failed with no fault of their own."""

    items: int = 0
    faults: int = 0
    device_s: float = 0.0

    @property
    def error_rate(self) -> float:
        """The share of items that failed with no fault of their own: 0 to 1."""
        return self.faults / self.items if self.items else 0.0

    @property
    def item_s(self) -> float:
        """Device seconds an item."""
        return self.device_s / self.items if self.items else 0.0


def is_chosen(canary_id: str, job_id: str, percent: float) -> bool:
    """Say whether a job belongs to the canary's part: pure, and the same for ever."""
    digest = hashlib.sha256(f"{canary_id}/{job_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < percent / 100 * _PARTS


def measure(session: Session, alias: ModelAlias) -> tuple[Figures, Figures]:
    """Sum up what the stable version and the canary did in the running trial."""
    rows = session.execute(
        select(
            Job.model_version,
            func.sum(Job.completed + Job.failed),
            func.sum(Job.faults),
            func.sum(Job.device_s),
        )
        .where(Job.canary_id == alias.canary_id)
        .group_by(Job.model_version)
    )
    found = {
        version: Figures(int(items), int(faults), float(device_s))
        for version, items, faults, device_s in rows
    }
    on_trial = alias.canary["version"] if alias.canary else 0
    return found.get(alias.version, Figures()), found.get(on_trial, Figures())


def verdict(limits: dict[str, Any], stable: Figures, canary: Figures) -> str | None:
    """Say why a canary has to end; None while there is no reason. Pure."""
    if canary.items < limits["min_items"]:
        return None
    most = limits["max_error_rate"]
    if canary.error_rate > most and canary.error_rate > stable.error_rate:
        return (
            f"{canary.error_rate:.2%} of its {canary.items:,} items failed; at most {most:.2%} may "
            f"(the stable version: {stable.error_rate:.2%})."
        )
    most = limits["max_latency_ratio"]
    if stable.items < limits["min_items"] or stable.item_s == 0:
        return None
    ratio = canary.item_s / stable.item_s
    if ratio > most:
        return (
            f"It takes {ratio:.2f} times the stable version's time for an item "
            f"({1000 * canary.item_s:.2f} ms against {1000 * stable.item_s:.2f}); at most "
            f"{most:g} times is allowed."
        )
    return None


def judge_canaries(database: Database) -> int:
    """End every canary that passes its limits; gives their number. Safe to run twice at once."""
    with database.read() as session:
        on_trial = session.scalars(select(ModelAlias).where(ModelAlias.canary_id.is_not(None)))
        condemned = [
            (alias, reason)
            for alias in on_trial.all()
            if (reason := verdict(alias.canary or {}, *measure(session, alias))) is not None
        ]
    for alias, reason in condemned:
        with database.write() as session:
            held = session.scalar(
                select(ModelAlias)
                .where(ModelAlias.name == alias.name, ModelAlias.alias == alias.alias)
                .with_for_update()
            )
            # Only the trial that was judged: it may have been ended, or another begun, meanwhile.
            if held is not None and held.canary_id == alias.canary_id:
                end_canary(session, held, "rolled_back", reason, SWEEPER)
                log.warning("canary_rolled_back", model=alias.name, alias=alias.alias)
    return len(condemned)


def end_canary(
    session: Session, alias: ModelAlias, outcome: str, reason: str | None, actor: Actor
) -> None:
    """End an alias's trial, and keep on the alias how it went; the caller holds its row."""
    if alias.canary is None:
        return
    stable, canary = measure(session, alias)
    ended = {
        "version": alias.canary["version"],
        "outcome": outcome,
        "reason": reason,
        "figures": {"stable": stable._asdict(), "canary": canary._asdict()},
    }
    write_entry(session, actor, "canary.ended", f"{alias.name}@{alias.alias}", **ended)
    alias.last_canary = ended | {"at": session.scalar(select(db_now()))}
    alias.canary = alias.canary_id = alias.canary_since = None
