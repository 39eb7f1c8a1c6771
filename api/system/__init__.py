"""The process itself: whether it lives and is ready, and the page of all calls.

Imports web and what it stands on.
"""
