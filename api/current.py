"""What belongs to the request that is being answered."""

from flask import current_app, g

from jobs.bootstrap import Ground
from jobs.errors import NotAllowed

EXTENSION = "pixelmill"


def ground() -> Ground:
    """Give the ground floor that this application stands on."""
    opened: Ground = current_app.extensions[EXTENSION]
    return opened


def tenant_id() -> str:
    """Give the tenant whose key came with the request."""
    tenant: str = g.tenant_id
    return tenant


def is_admin() -> bool:
    """Say whether the request's key is an operator's."""
    return bool(g.get("is_admin", False))


def require_admin(what: str) -> None:
    """Refuse a key that is not an operator's; raises NotAllowed."""
    if not is_admin():
        raise NotAllowed(f"{what} needs an operator's key.")
