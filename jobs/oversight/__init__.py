"""What an operator sees over all tenants: open jobs and why each waits, who uses what, who works.

Imports queue and what it stands on.
"""
