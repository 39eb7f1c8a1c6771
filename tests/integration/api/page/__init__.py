"""The page through Flask's test client: who gets in, what each page shows, and what it costs."""
