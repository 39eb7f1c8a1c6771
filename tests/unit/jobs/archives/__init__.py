"""Archives of all kinds, sound and damaged."""
