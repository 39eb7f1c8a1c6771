"""Whole stacks, started as people start them, spoken to over HTTP."""
