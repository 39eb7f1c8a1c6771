"""Keys and the log of changes: a tenant sees its own keys, operators see all and make them."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import ProgrammingError

from api.current import actor, ground, is_admin, require_admin, tenant_id
from api.models.schemas import AuditQuery
from api.models.views import audit_view
from api.page.blueprint import page_blueprint
from api.page.forms import read_form, takes_form
from api.web.parsing import validated
from jobs.base.errors import InvalidRequest, NotAllowed
from jobs.tenants.audit import list_entries
from jobs.tenants.keys import create_key, list_keys, revoke_key

keys = page_blueprint("keys")

_ON_A_PAGE = 50
_LONGEST_NAME = 200
# PostgreSQL's insufficient_privilege.
_NO_RIGHT = "42501"


@keys.get("/keys")
def show_keys() -> ResponseReturnValue:
    """Show the keys: the tenant's own, or all of them to an operator; never a secret."""
    return _page()


@keys.post("/keys")
@takes_form
def make_key() -> ResponseReturnValue:
    """Make a key; it stands in this answer and nowhere else."""
    form = read_form()
    require_admin("Making keys")
    tenant, name = form.get("tenant", "").strip(), form.get("name", "").strip()
    if not tenant or max(len(tenant), len(name)) > _LONGEST_NAME:
        raise InvalidRequest(f"A tenant's name has 1 to {_LONGEST_NAME} characters, as a key's.")
    is_admins = form.get("admin") == "yes"
    with _by_right_of_the_database():
        made = create_key(ground().database, tenant, name=name, admin=is_admins, actor=actor())
    return _page(secret=made.key, secret_of=tenant)


@keys.post("/keys/<key_id>/revoke")
@takes_form
def revoke(key_id: str) -> ResponseReturnValue:
    """Revoke a key, and end its sessions."""
    read_form()
    require_admin("Revoking keys")
    with _by_right_of_the_database():
        revoke_key(ground().database, key_id, actor())
    return make_response(redirect(url_for("page_keys.show_keys", done="revoked"), 303))


@keys.get("/audit")
def show_audit() -> ResponseReturnValue:
    """Show who changed what, newest first."""
    require_admin("The log of changes")
    said = {"after": after} if (after := request.args.get("after")) else {}
    query = validated(AuditQuery, said)
    with ground().database.read() as session:
        found = list_entries(session, after=query.after, limit=_ON_A_PAGE + 1)
    entries = [audit_view(each) for each in found[:_ON_A_PAGE]]
    has_more = len(found) > _ON_A_PAGE
    return render_template(
        "system/audit.html",
        entries=entries,
        after=query.after,
        next_after=entries[-1].id if has_more else None,
    )


@contextmanager
def _by_right_of_the_database() -> Iterator[None]:
    """Tell where the API's own role may not write keys: one that is taken over makes none."""
    try:
        yield
    except ProgrammingError as err:
        if getattr(err.orig, "sqlstate", None) != _NO_RIGHT:
            raise
        raise NotAllowed(
            "Here the API's role in the database may not write keys. Make and revoke them by the "
            "command: `flask --app api.wsgi keys create`, `keys revoke`."
        ) from err


def _page(**shown_once: str) -> Response:
    with ground().database.read() as session:
        found = list_keys(session, None if is_admin() else tenant_id())
    return make_response(
        render_template("system/keys.html", keys=found, own_key=g.key_id, **shown_once)
    )
