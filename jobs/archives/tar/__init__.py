"""Tar: headers, sparse files, and the walk over both."""

from jobs.archives.tar.walking import walk_tar

__all__ = ["walk_tar"]
