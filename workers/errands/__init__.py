"""What an io worker does: inputs prepared, jobs compared, webhooks delivered, strays swept up.

Imports egress and walls.
"""
