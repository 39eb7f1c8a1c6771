"""Networks on the device: loaded within a budget, and fed with batches of any shards.

Imports reading and holding.
"""
