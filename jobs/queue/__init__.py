"""Jobs between their first shard and their end: who is next, leases, commits, completion, webhooks.

Imports versions and the rooms above it.
"""
