"""What each service's role may do with each table of PostgreSQL.

A process that was taken over can do what its role may do, and no more: workers decode strangers'
bytes, so theirs sees no key and no secret of a tenant. The roles are made by
`deploy/postgres-roles.sql`. Where there are none, as with SQLite or one user for everything,
nothing is granted.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

from jobs.base.database import Database

API, IO, WORKER = "pixelmill_api", "pixelmill_io", "pixelmill_worker"
ROLES = (API, IO, WORKER)

READ = "SELECT"
ADD = "SELECT, INSERT"
CHANGE = "SELECT, UPDATE"
WRITE = "SELECT, INSERT, UPDATE"
ALL = "SELECT, INSERT, UPDATE, DELETE"
KEEP = "SELECT, INSERT, DELETE"
NONE = ""
# Of a tenant no more is changed than its share and how many events it had; workers do not see the
# secret that signs webhooks.
SERVE = "SELECT, INSERT, UPDATE (share, events)"
DELIVER = "SELECT, UPDATE (share, events)"
CHARGE = "SELECT (id, name, weight, share, events, created_at), UPDATE (share, events)"
# An inference worker inserts deliveries to endpoints, and sees none of their secrets.
TELL = "SELECT (id, tenant_id, url, events, enabled)"
# The log is written and never changed. An insertion reads back the number that it was given.
NOTE = "SELECT (id), INSERT"

# For each table what the API, an io worker and an inference worker may do. Keys are made by the
# owner's role alone. A lock (FOR UPDATE, FOR SHARE) needs the right to change.
GRANTS: Mapping[str, tuple[str, str, str]] = {
    "alembic_version": (READ, READ, READ),
    "api_keys": (READ, NONE, NONE),
    "audit_log": (ADD, NOTE, NOTE),
    # Whoever reads objects opens credentials, by a key that no database has.
    "bucket_allowances": (READ, READ, READ),
    "comparisons": (ALL, ALL, WRITE),
    "connections": (KEEP, READ, READ),
    "deliveries": (ALL, ALL, ADD),
    # Who signs out is remembered until the session would have ended by itself.
    "ended_sessions": (KEEP, NONE, NONE),
    "evaluations": (ALL, ALL, NONE),
    "files": (ALL, ALL, READ),
    "idempotency_keys": (ALL, ALL, NONE),
    # The commit that ends a job inserts its output; an io worker writes it.
    "job_outputs": (ALL, ALL, ADD),
    "jobs": (WRITE, WRITE, WRITE),
    "model_aliases": (ALL, WRITE, WRITE),
    "model_shadows": (ALL, CHANGE, READ),
    "model_versions": (WRITE, CHANGE, WRITE),
    # Asked for where they are shown, made by inference workers, which have the decoders.
    "opened_pictures": (ALL, ALL, CHANGE),
    "shards": (ALL, ALL, WRITE),
    "shares": (WRITE, NONE, NONE),
    "tenants": (SERVE, DELIVER, CHARGE),
    "trainings": (ALL, ALL, CHANGE),
    "upload_parts": (ALL, ALL, NONE),
    "uploads": (ALL, ALL, NONE),
    "watches": (ALL, CHANGE, NONE),
    "webhook_endpoints": (ALL, CHANGE, TELL),
    # A worker tells of itself; an operator drains it over the API; io forgets who is long gone.
    "workers": (CHANGE, ALL, WRITE),
}

_WHO = text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)")


def grant_rights(database: Database) -> list[str]:
    """Give each role that exists exactly its rights; gives their names. Does nothing on SQLite."""
    if database.is_sqlite:
        return []
    with database.engine.begin() as connection:
        roles = [role for role in ROLES if role in _existing(connection)]
        for role in roles:
            for statement in _statements(role):
                connection.execute(text(statement))
    return roles


def _existing(connection: Connection) -> set[str]:
    return set(connection.scalars(_WHO, {"names": list(ROLES)}))


def _statements(role: str) -> Iterator[str]:
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    for table, rights in GRANTS.items():
        if right := rights[ROLES.index(role)]:
            yield f"GRANT {right} ON {table} TO {role}"
