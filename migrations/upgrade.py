"""Bring a database to the newest tables: `python -m migrations.upgrade [--down]`."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from jobs.base.database import Database
from jobs.base.private_files import keep_files_private
from jobs.base.settings import load_settings_or_exit
from migrations.grants import grant_rights


def config_for(database: Database) -> Config:
    """Make Alembic's configuration for one database; there is no alembic.ini to keep in step."""
    config = Config()
    # Alembic's file of settings has names of variables between percent signs.
    here = str(Path(__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", here)
    config.set_main_option("path_separator", "os")
    config.attributes["database"] = database
    return config


def upgrade(database: Database) -> None:
    """Upgrade to the head, and give each service's role its rights; harmless when repeated."""
    command.upgrade(config_for(database), "head")
    grant_rights(database)


def downgrade(database: Database) -> None:
    """Take every migration back."""
    command.downgrade(config_for(database), "base")


def main() -> None:
    """Upgrade the database of the settings, or take every migration back."""
    keep_files_private()
    database = Database(load_settings_or_exit().database_url)
    try:
        (downgrade if "--down" in sys.argv[1:] else upgrade)(database)
    finally:
        database.close()


if __name__ == "__main__":
    main()
