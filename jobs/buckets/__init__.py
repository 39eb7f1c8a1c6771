"""Objects in buckets of others as items of jobs: who may name which, how they are listed and read.

Imports inputs, tenants and what they stand on.
"""
