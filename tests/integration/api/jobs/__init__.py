"""How jobs are submitted and found."""
