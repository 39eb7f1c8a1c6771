"""The API over its real database and store."""
