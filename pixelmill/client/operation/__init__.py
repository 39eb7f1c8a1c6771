"""What operators ask of all tenants; their key must be an operator's.

Imports wire.
"""
