"""What callers send, on its way to items: files, requests, manifests, archives, addresses; budgets.

Imports archives and the rooms above it.
"""
