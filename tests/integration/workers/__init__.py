"""Workers with their real processes."""
