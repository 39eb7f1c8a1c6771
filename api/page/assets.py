"""The files that pages load, and their addresses."""

from pathlib import Path

from flask import url_for

from api.assets import Assets

ASSETS = Assets(Path(__file__).parent / "static")


def address_of(name: str) -> str:
    """Give the address of a file, which is another one as soon as the file is."""
    return url_for("page_entrance.asset", name=name, v=ASSETS.digest_of(name))
