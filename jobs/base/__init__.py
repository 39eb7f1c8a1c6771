"""What every room stands on: settings, states, database, store, hints, logs, errors, traces.

Imports no other room.
"""
