"""Bytes to samples, by decoder processes behind walls, in threads that take turns between shards.

Imports reading and walls.
"""
