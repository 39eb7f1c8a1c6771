"""The Python client: what callers import as `pixelmill`.

Imports wire.
"""
