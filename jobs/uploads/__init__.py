"""Uploads that resume: received in parts, put together as one file, or ended and erased.

Imports inputs and the rooms above it.
"""
