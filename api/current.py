"""What belongs to the request that is being answered."""

from flask import current_app, g

from jobs.bootstrap import Ground

EXTENSION = "pixelmill"


def ground() -> Ground:
    """Give the ground floor that this application stands on."""
    opened: Ground = current_app.extensions[EXTENSION]
    return opened


def tenant_id() -> str:
    """Give the tenant whose key came with the request."""
    tenant: str = g.tenant_id
    return tenant
