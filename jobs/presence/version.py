"""Which version of Pixelmill this is."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Give Pixelmill's version."""
    try:
        return version("pixelmill")
    except PackageNotFoundError:
        return "unknown"
