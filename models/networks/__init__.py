"""Architectures: one whole network, or one family that is built elsewhere, in one file."""
