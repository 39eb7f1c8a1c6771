"""What jobs came to: summaries, searches, small pictures."""
