"""Bodies as they come in: which are let in, their parts, and the files that are kept of them.

Imports current alone.
"""
