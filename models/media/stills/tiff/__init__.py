"""TIFF and BigTIFF: directories, layout, packing and samples, each a file; `picture` opens one."""

from models.media.stills.tiff.picture import matches, read

__all__ = ["matches", "read"]
