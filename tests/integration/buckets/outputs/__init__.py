"""Results written into buckets and folders: who may, what lies there, and what a crash leaves."""
