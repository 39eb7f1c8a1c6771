"""Measurements: everything against the bare network, the peers, and the libraries of others."""
