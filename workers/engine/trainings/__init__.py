"""One turn of a training, and the images that it learns from.

Imports the shard and what it stands on.
"""
