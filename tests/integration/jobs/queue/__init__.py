"""Turns, leases, commits and what ends a job."""
