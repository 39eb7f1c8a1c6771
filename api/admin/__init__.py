"""The operator's view over all tenants; every call wants an operator's key.

Imports web and what it stands on.
"""
