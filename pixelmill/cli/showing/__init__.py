"""What commands show and write: progress, faults, results in the form asked for.

Imports client and wire, and the exit statuses; no command.
"""
