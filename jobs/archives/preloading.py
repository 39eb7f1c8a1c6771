"""What reading archives imports when it is first needed, imported at once."""

from jobs.archives.compression import Deflate64, lz4, zstandard


def preload() -> None:
    """Import it all, for a process that may open no file afterwards."""
    import py7zr.archiveinfo  # noqa: F401

    Deflate64(0)
    zstandard()
    lz4()
