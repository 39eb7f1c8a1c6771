"""Connections: a tenant's own credentials for buckets, stored and never shown.

Imports web and what it stands on.
"""
