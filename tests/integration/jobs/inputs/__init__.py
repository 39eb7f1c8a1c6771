"""From an input to a manifest."""
