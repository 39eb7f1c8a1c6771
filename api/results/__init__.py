"""What became of items, as callers read it: JSON, NDJSON, CSV, and what differs between two jobs.

Imports web and what it stands on.
"""
