"""A version's card for a person: what it is and how sure that is, without its schemas."""

from collections.abc import Iterator, Mapping
from typing import Any

from pixelmill.cli.models.proof_texts import proven_text
from pixelmill.cli.showing.display import printable, timestamp

_SHOWN_LABELS = 6
_WIDTH = 14


def card_text(raw: Mapping[str, Any]) -> str:
    """Write a model's view, as the server gives it, in a line for each thing that is known."""
    rows = [(name, value) for name, value in _rows(raw) if value]
    return "".join(f"{name:<{_WIDTH}}{printable(value)}\n" for name, value in rows)


def _rows(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    provenance = raw.get("provenance") or {}
    yield "model", f"{raw['id']} ({raw.get('state', 'ready')})"
    yield "reason", raw.get("reason") or ""
    yield "aliases", _pairs(raw.get("aliases"))
    yield "description", raw.get("description") or ""
    yield "task", raw.get("task") or ""
    yield "architecture", raw.get("architecture") or ""
    yield "labels", _labels(raw.get("labels") or [])
    yield "proof", _proof(raw.get("proof"))
    for name in ("license", "author", "source"):
        yield name, str(provenance.get(name) or "")
    yield "figures", _pairs(raw.get("metrics"))
    for each in raw.get("evaluations") or ():
        yield "evaluated", _evaluation(each)
    yield "preprocess", _pairs(raw.get("preprocess"))
    yield "options", _pairs(raw.get("options"))
    yield "digest", raw.get("digest") or ""
    yield "registered", _registered(raw)
    yield "parameters", ", ".join((raw.get("params_schema") or {}).get("properties") or ())


def _labels(labels: list[str]) -> str:
    shown = ", ".join(labels[:_SHOWN_LABELS])
    more = len(labels) - _SHOWN_LABELS
    return f"{len(labels)}: {shown}{f' and {more} more' if more > 0 else ''}" if labels else ""


def _proof(proof: Mapping[str, Any] | None) -> str:
    if proof is None:
        return "none: it was held against nothing"
    return proven_text(proof)


def _evaluation(each: Mapping[str, Any]) -> str:
    value = each.get("value")
    figure = "no figure" if value is None else f"{each['figure']} {value:.4g}"
    return f"{figure} on {each['evaluated']} of {each['items']} items, {each['job_id']}"


def _registered(raw: Mapping[str, Any]) -> str:
    created = raw.get("created_at")
    return f"{timestamp(created)} by {raw.get('author') or '?'}" if created else ""


def _pairs(members: Mapping[str, Any] | None) -> str:
    """Write `resize 256, crop 224`; what is nested, such as a folder's config.json, by its name."""
    return ", ".join(f"{name} {_short(value)}".strip() for name, value in (members or {}).items())


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
