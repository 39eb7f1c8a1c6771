"""Files that callers upload.

Imports web and what it stands on.
"""
