"""Films and their checkpoints."""
