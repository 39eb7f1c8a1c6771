"""What somebody meets who knows nothing of the house."""
