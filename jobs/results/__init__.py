"""What became of each item: segments as workers write them, rows as callers read them, overlays.

Imports inputs and the rooms above it.
"""
