"""Models: registered, shown, named by aliases, tried in the shadow; what operators changed.

Imports jobs and what it stands on.
"""
