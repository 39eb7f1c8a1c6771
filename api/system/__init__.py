"""The process itself: whether it lives and is ready.

Imports web and what it stands on.
"""
