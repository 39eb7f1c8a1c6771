"""Jobs on both databases."""
