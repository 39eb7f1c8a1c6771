"""Heads: what networks give, brought into the form that their task reads. One file a kind."""
