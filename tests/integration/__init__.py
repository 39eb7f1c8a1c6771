"""Rooms with their real databases, stores and processes."""
