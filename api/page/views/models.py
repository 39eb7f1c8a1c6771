"""Models: the list, a card for each version, and aliases that move between versions."""

from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.current import actor, changeable, ground, may_change, tenant_id
from api.models.schemas import AliasPut, plain
from api.models.views import AliasView, alias_view, card_view, model_view
from api.page.blueprint import page_blueprint
from api.page.forms import read_form, takes_form
from api.page.rows import is_job_id
from jobs.aftercare.evaluation import evaluations_of
from jobs.base.errors import InvalidRequest
from jobs.versions.aliases import aliases_of, remove_alias, set_alias
from jobs.versions.canaries import measure
from jobs.versions.lists import list_models, list_versions
from jobs.versions.registry import find

models = page_blueprint("models")

_ON_A_PAGE = 50
_MOST_EVALUATIONS = 5


@models.get("/models")
def show_models() -> ResponseReturnValue:
    """Show the models that the tenant can use, each in its newest version."""
    after = request.args.get("after") or None
    with ground().database.read() as session:
        found, has_more = list_models(session, tenant_id(), after=after, limit=_ON_A_PAGE)
        aliases = aliases_of(session, *(each.name for each in found))
        views = [model_view(each, aliases) for each in found]
    return render_template(
        "models/list.html", models=views, after=after, next_after=views[-1].id if has_more else None
    )


# A name may hold a slash; the route with more words wins.
@models.get("/models/<path:name>")
def show_model(name: str) -> ResponseReturnValue:
    """Show a version's card, the other versions of its model, and the model's aliases."""
    with ground().database.read() as session:
        version = find(session, name, tenant_id()).version
        aliases = aliases_of(session, version.name)
        evaluations = evaluations_of(session, tenant_id(), version, _MOST_EVALUATIONS)
        card = card_view(version, aliases, evaluations)
        versions, _ = list_versions(session, card.name, tenant_id(), after=None, limit=_ON_A_PAGE)
        shown = [_alias(session, each) for each in aliases]
    return render_template(
        "models/card.html",
        card=card,
        versions=[model_view(each, aliases) for each in versions],
        aliases=shown,
        can_change=may_change(card.name),
    )


@models.post("/models/<path:name>/aliases")
@takes_form
def move_alias(name: str) -> ResponseReturnValue:
    """Point an alias at a version, with a canary if a percentage is said; or remove it."""
    form = read_form()
    stored, alias = changeable(name), form.get("alias", "").strip()
    if form.get("do") == "remove":
        remove_alias(ground().database, stored, alias, actor())
        return _to(name, done="removed")
    body = _read(form.get("version", ""), form.get("canary", ""), form.get("percent", ""))
    with ground().database.read() as session:
        find(session, name, tenant_id())
    canary = None if body.canary is None else plain(body.canary)
    set_alias(ground().database, stored, alias, body.version, canary, actor())
    if (job_id := form.get("compared", "")) and is_job_id(job_id):
        # It was moved where two versions are compared, and can be moved back there.
        address = url_for("page_compare.show_comparison", job_id=job_id, done="moved")
        return make_response(redirect(address, 303))
    return _to(name, done="moved")


def _read(version: str, canary: str, percent: str) -> AliasPut:
    said: dict[str, Any] = {"version": _whole(version, "version")}
    if canary.strip():
        said["canary"] = {
            "version": _whole(canary, "canary"),
            "percent": _number(percent.strip() or "10"),
        }
    try:
        return AliasPut.model_validate(said)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"`{where}`: {first['msg']}.", param=where) from err


def _whole(text: str, what: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 9):
        raise InvalidRequest(f"The {what} must be the number of a version, such as 3.", param=what)
    return int(digits)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as err:
        raise InvalidRequest(f"The share {text[:20]!r} is no percentage.", param="percent") from err


def _alias(session: Session, row: Any) -> AliasView:
    return alias_view(row, measure(session, row))


def _to(name: str, **said: Any) -> ResponseReturnValue:
    return make_response(redirect(url_for("page_models.show_model", name=name, **said), 303))
