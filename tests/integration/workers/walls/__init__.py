"""Decoder processes, and what tries to break out of them."""
