"""Stacks as people start, meet and end them."""
