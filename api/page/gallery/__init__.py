"""What a job's page shows of its answers: which, masks, lanes of films, how often, how surely.

Imports results and what it stands on; every function here is of values alone.
"""
