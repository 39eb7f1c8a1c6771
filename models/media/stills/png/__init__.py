"""PNG: the chunks that make pixels and no others, and an orientation among its texts."""

from models.media.stills.png.picture import matches, read

__all__ = ["matches", "read"]
