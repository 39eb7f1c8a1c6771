"""The documents that have no test of their own, as their reader types what they say."""
