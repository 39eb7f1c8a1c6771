"""Addresses, globs and credentials of buckets: pure code."""
