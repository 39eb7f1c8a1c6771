"""Trainings: begun, shown, ended.

Imports jobs and what it stands on.
"""
