"""Whether a database has the tables that this code reads, and at which revision they are."""

from sqlalchemy import Connection, inspect, text

from jobs.tables import Table
from jobs.tables.revision import HEAD


def revision_of(connection: Connection) -> str | None:
    """Give the migration that a database is at; None where none has run."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_migrated(connection: Connection) -> bool:
    """Say whether a database is at this code's revision or a newer one, and has all it reads.

    One of a newer version has more, and does for this one too: so an upgrade stops nobody.
    """
    return (revision_of(connection) or "") >= HEAD and _has_columns(connection)


def _has_columns(connection: Connection) -> bool:
    found = {
        (table, column["name"])
        for (_, table), columns in inspect(connection).get_multi_columns().items()
        for column in columns
    }
    wanted = {
        (table.name, column.name)
        for table in Table.metadata.tables.values()
        for column in table.columns
    }
    return wanted <= found
