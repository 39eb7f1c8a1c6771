"""Folders as Hugging Face's libraries save them, read for `push`."""
