"""Who may look: signing in, a tenant's keys, links that show one job.

Imports what views import.
"""
