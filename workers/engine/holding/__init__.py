"""What a process holds: leases and their renewal, places for shards, suspects, rest.

Imports no other room of the engine.
"""
