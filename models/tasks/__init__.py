"""Tasks: how bytes become a sample and outputs become predictions. One task, one file."""
