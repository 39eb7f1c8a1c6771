"""What Prometheus reads of the API, and how requests are counted for it.

Imports web and what it stands on.
"""
