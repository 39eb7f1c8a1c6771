"""Jobs between their first shard and their end: who is next, leases, commits, completion, webhooks.

Imports events and the rooms below it.
"""
