"""Which version of Pixelmill this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version() -> str:
    """Give Pixelmill's version."""
    try:
        return version("pixelmill")
    except PackageNotFoundError:
        return "unknown"
