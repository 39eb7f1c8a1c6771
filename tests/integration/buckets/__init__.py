"""Buckets on real servers: who may name which, how they are listed, pinned and read."""
