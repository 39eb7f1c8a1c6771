"""What every room stands on: settings, clock, database, store, hints, logs; nothing of what they mean.

Imports no other room.
"""
