"""Uploads that resume, below the API: who writes, who finishes, what a crash leaves."""
