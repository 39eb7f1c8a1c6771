"""What the processes of a data folder share: where its database and its blobs are."""

import os
from collections.abc import Mapping
from pathlib import Path

from pixelmill.connection import DEFAULT_DATA
from pixelmill.errors import NotConfigured

DATABASE = "pixelmill.db"


def places_of(data: Path) -> dict[str, str]:
    """Give the settings that name a data folder's database and blobs."""
    # Here and not above: its import would slow down every command.
    from sqlalchemy import URL

    # Both quote what has a meaning in a URL, such as `?` and `%`.
    url = URL.create("sqlite", database=str(data / DATABASE))
    return {
        "PIXELMILL_DATABASE_URL": url.render_as_string(),
        "PIXELMILL_STORAGE_URL": (data / "blobs").as_uri(),
    }


def operators_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the environment of an operator's command: as it is, or that of the local stack.

    Raises NotConfigured when it names no database, and no stack has ever run in the folder.
    """
    if environ.get("PIXELMILL_DATABASE_URL"):
        return dict(environ)
    data = Path(environ.get("PIXELMILL_DATA") or DEFAULT_DATA).resolve()
    if not (data / DATABASE).exists():
        raise NotConfigured(
            f"no stack has run in {data} (PIXELMILL_DATA) yet: start one with `pixelmill up`, or "
            "set PIXELMILL_DATABASE_URL and PIXELMILL_STORAGE_URL to those of an installation."
        )
    return {**places_of(data), **environ}
