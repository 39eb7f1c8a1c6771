"""Uploads that resume, through the API."""
