"""How jobs come to be: submitted, run again, as trainings; and how their inputs become shards.

Imports queue and the rooms above it.
"""
