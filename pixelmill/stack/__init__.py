"""`pixelmill up`: the processes of a whole stack on one machine, and how they end.

Imports wire.
"""
