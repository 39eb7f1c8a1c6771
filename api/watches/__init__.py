"""Watches: folders of buckets whose new objects become jobs.

Imports jobs, web and what they stand on.
"""
