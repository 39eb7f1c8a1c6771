"""The document of all calls, as other programs read it."""
