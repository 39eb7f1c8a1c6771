"""The server in front of the application: no thread is held by whoever is slow."""
