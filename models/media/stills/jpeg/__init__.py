"""JPEG: segments taken apart, the frame's header held to limits, and what decodes it."""

from models.media.stills.jpeg.picture import matches, read

__all__ = ["matches", "read"]
