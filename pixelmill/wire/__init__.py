"""What goes over the wire: connections, requests, retries, pages, uploads, and what went wrong.

Imports no other room.
"""
