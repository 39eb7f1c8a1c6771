"""What belongs to the request that is being answered."""

from flask import current_app, g, request

from jobs.base.bootstrap import Ground
from jobs.base.errors import NotAllowed, NotFound
from jobs.base.traces.spans import NO_SPAN, Span
from jobs.buckets.sources import Buckets
from jobs.tenants.audit import Actor
from jobs.versions.names import owner_of, shown_name, stored_name

EXTENSION = "pixelmill"
BUCKETS = "pixelmill.buckets"
SPAN = "span"


def ground() -> Ground:
    """Give the ground floor that this application stands on."""
    opened: Ground = current_app.extensions[EXTENSION]
    return opened


def buckets() -> Buckets:
    """Give the way to buckets."""
    opened: Buckets = current_app.extensions[BUCKETS]
    return opened


def span() -> Span:
    """Give the span of this request, which does nothing where there is no trace."""
    begun: Span = g.get(SPAN, NO_SPAN)
    return begun


def link(path: str) -> str:
    """Give the path of something here as callers reach it, behind a proxy's prefix too."""
    return request.script_root + path


def tenant_id() -> str:
    """Give the tenant whose key came with the request."""
    tenant: str = g.tenant_id
    return tenant


def is_admin() -> bool:
    """Say whether the request's key is an operator's."""
    admin: bool = g.is_admin
    return admin


def actor() -> Actor:
    """Give who is to be named in the log of changes."""
    return Actor(g.key_id, tenant_id())


def require_admin(what: str) -> None:
    """Refuse a key that is not an operator's; raises NotAllowed."""
    if not is_admin():
        raise NotAllowed(
            f"{what} needs an operator's key, made with `pixelmill keys create --admin`."
        )


def changeable(name: str) -> str:
    """Give the stored name of a model that the caller may change.

    Raises UnknownModel for another tenant's, and NotAllowed for one that all share.
    """
    stored = stored_name(name, tenant_id())
    if owner_of(stored) is None:
        require_admin(f"{shown_name(stored)!r} is shared by all tenants: changing it")
    return stored


def may_change(name: str) -> bool:
    """Say whether the caller may change a model."""
    try:
        changeable(name)
    except (NotAllowed, NotFound):
        return False
    return True
