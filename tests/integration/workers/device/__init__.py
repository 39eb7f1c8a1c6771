"""Versions and networks on a device."""
