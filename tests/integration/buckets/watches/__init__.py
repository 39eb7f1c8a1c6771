"""Watched folders: what is new in them, on S3 and on the server's disk."""
