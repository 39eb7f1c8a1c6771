"""What containers are started with."""
