"""Pictures and films of every kind, by every door."""
