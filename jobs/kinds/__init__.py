"""Kinds of jobs, one a file: what sets a rerun or a training apart from what callers submit.

Imports versions and the rooms above it.
"""
