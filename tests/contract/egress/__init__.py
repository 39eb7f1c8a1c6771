"""What every way out to strangers' addresses must keep."""
