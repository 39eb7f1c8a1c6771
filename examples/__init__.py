"""What people run first: a whole stack, a real job, its results."""
