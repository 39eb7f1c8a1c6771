"""Rows of photos as phones take them, and of films."""
