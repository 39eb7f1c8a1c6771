"""Everything that decoding imports, imported at once."""


def preload() -> None:
    """Import every decoder, so that nothing has to be opened later."""
    from models.media import films, pictures  # noqa: F401
