"""Peers, bodies and refusals."""
