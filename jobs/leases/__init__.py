"""Leases: the right to work on a row until a time, under a number that fences off whoever is late.

Imports tables and the rooms above it.
"""
