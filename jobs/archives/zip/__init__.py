"""Zip: its directory, its members, and the walk over both."""

from jobs.archives.zip.walking import walk_zip

__all__ = ["walk_zip"]
