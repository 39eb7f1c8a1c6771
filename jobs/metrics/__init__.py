"""What Prometheus reads: every metric by name, where a process keeps its own, and the queue's.

Imports presence and what it stands on.
"""
