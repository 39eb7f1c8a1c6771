"""What happened to jobs is numbered, and read in that order."""
