"""7z: its header, its folders, and how a whole archive is rewritten as a tar."""

from jobs.archives.seven_zip.rewriting import expand_7z

__all__ = ["expand_7z"]
