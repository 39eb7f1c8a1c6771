"""Archives of known content, and what must come of them."""
