"""The log of changes, for operators."""

from typing import Any

from apiflask import APIBlueprint

from api.current import ground, require_admin
from api.models.schemas import AuditQuery
from api.models.views import AuditList, audit_view
from api.web.openapi import describe
from api.web.parsing import read_query
from api.web.views import listed
from jobs.tenants.audit import list_entries

audit = APIBlueprint("audit", __name__, tag="Audit")


@audit.get("/v1/audit")
@describe(audit, {200: AuditList}, problems=(403, 422), query=AuditQuery)
def get_audit() -> dict[str, Any]:
    """List who changed what of models and keys, newest first; needs an operator's key."""
    require_admin("The log of changes")
    query = read_query(AuditQuery)
    with ground().database.read() as session:
        found = list_entries(session, after=query.after, limit=query.limit + 1)
    return listed([audit_view(each) for each in found[: query.limit]], len(found) > query.limit)
