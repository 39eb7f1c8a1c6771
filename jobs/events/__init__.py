"""What happens to jobs, numbered in an order that their tenant can follow.

Imports kinds and the rooms below it.
"""
