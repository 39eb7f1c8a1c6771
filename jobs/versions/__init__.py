"""Models as they change: versions, aliases, canaries, and how a version comes and goes.

Imports tenants and the rooms above it.
"""
