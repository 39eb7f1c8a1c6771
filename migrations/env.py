"""How Alembic reaches the database: by Pixelmill's own settings, or a connection handed to it."""

from alembic import context
from sqlalchemy import Connection

from jobs.base.database import Database
from jobs.base.settings import load_settings
from jobs.tables import Table


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("database")
database = given or Database(load_settings().database_url)
with database.engine.execution_options(writing=True).connect() as connection:
    _run(connection)
if given is None:
    database.close()
