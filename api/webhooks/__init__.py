"""Webhook endpoints of a tenant, and the log of what was delivered.

Imports jobs, web and what they stand on.
"""
