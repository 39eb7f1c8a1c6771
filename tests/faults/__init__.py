"""Whole stacks, broken at work; an oracle holds every row against direct inference."""
