"""Results that are written into a bucket of their caller's when a job is over.

Imports queue, forms and the rooms below them.
"""
