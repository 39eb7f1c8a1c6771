"""Who may do what: tenants, their keys, and the record of what operators changed.

Imports base and tables.
"""
