"""Connections: stored, listed, deleted; what they keep is never shown again."""

from typing import Any

from apiflask import APIBlueprint

from api.connections.schemas import (
    ConnectionCreate,
    ConnectionList,
    ConnectionView,
    connection_view,
)
from api.current import actor, ground, link, tenant_id
from api.web.openapi import describe
from api.web.parsing import read_body
from api.web.views import Deleted, listed
from jobs.buckets.connections import (
    create_connection,
    delete_connection,
    find_connection,
    list_connections,
)

connections = APIBlueprint("connections", __name__, url_prefix="/v1/connections", tag="Connections")


@connections.post("")
@describe(
    connections,
    {201: ConnectionView},
    problems=(400, 409, 413, 415, 422),
    body={"application/json": ConnectionCreate},
)
def store_connection() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Store credentials that open your buckets, for jobs to name.

    They are encrypted at rest with a key that the database does not have, and no answer ever shows
    them. They are not tried out: a job's `dry_run` does that.
    """
    body, _ = read_body(ConnectionCreate)
    row = create_connection(
        ground(), actor(), body.name, body.kind, body.credentials, body.endpoint or ""
    )
    return connection_view(row).model_dump(), 201, {"Location": link(f"/v1/connections/{row.id}")}


@connections.get("")
@describe(connections, {200: ConnectionList})
def get_connections() -> dict[str, Any]:
    """List the connections of your tenant, newest first: a hundred at most, so without pages."""
    with ground().database.read() as session:
        return listed([connection_view(row) for row in list_connections(session, tenant_id())])


@connections.get("/<connection>")
@describe(connections, {200: ConnectionView}, problems=(404,))
def get_one_connection(connection: str) -> dict[str, Any]:
    """Show a connection by its id or name, without what it keeps."""
    with ground().database.read() as session:
        row = find_connection(session, tenant_id(), connection)
    return connection_view(row).model_dump()


@connections.delete("/<connection>")
@describe(connections, {200: Deleted}, problems=(404,))
def remove_connection(connection: str) -> dict[str, Any]:
    """Delete a connection and what it keeps. Items of jobs that still read by it will fail."""
    row = delete_connection(ground(), actor(), connection)
    return Deleted(id=row.id, object="connection").model_dump()
