"""What Prometheus reads of the API, how requests are counted for it, and their spans.

Imports web and what it stands on.
"""
