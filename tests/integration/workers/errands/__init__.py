"""What an io worker does."""
