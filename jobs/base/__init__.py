"""What every room stands on: settings, states, database, store, hints, logs, errors.

Imports no other room.
"""
