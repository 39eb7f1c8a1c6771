"""A network that runs: loaded, folded, flattened, warmed up, halved when its memory is short.

Imports tasks, networks and what they stand on.
"""
